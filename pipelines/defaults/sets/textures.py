"""Surfaces from a game: stone, wood, metal … at any rotation, in any tint and light. Learn uses the left halves, test the right ones."""
import math
import zipfile

from PIL import Image, ImageEnhance, ImageOps

SURFACES = """acc_dm3/concrt acc_dm3/grass acc_dm3/metaldoor acc_dm3/rivets acc_dm3/sp_ground acc_dm5/mud02 acc_dm5/mud02b
acc_dm5/stnsqr_dirty base_floor/clang_floor512 base_floor/tilefloor7_ow base_support/surface2 base_wall/atech2_c
base_wall/bluemetal2 base_wall/metalfloor_wall_11 base_wall/metalfloor_wall_15 clown/pipe clown/scratch_block clown/scratch_pillar
cosmo_block/ancient_bricks2 cosmo_block/rock01 evil8_wall/e8crete03e gothic_block/blocks11b gothic_block/blocks17slime
gothic_block/killtrim gothic_ceiling/woodceiling1a gothic_floor/q1metal7_97 gothic_floor/q1metal7_99 gothic_trim/newskull
gothic_trim/tower_front liquids/lavafloor liquids/slime7 proto2/bluemidtrim proto2/heat_tile01 proto2/marble02
proto2/tin_floor04ach pulchr_skies/skypulchr01 sfx/tread skin/chapthroat stone/pjrock16 stone/pjrock21""".split()

CLASSES = [surface.replace("/", "-") for surface in SURFACES]


def load(packages, part):
    archive = zipfile.ZipFile(f"{packages}/openarena-081-textures/usr/share/games/openarena/baseoa/pak4-textures.pk3")
    surfaces = [Image.open(archive.open(f"textures/{surface}.jpg")).convert("RGB").resize((512, 512)) for surface in SURFACES]
    return [surface.crop((0, 0, 256, 512) if part == "learn" else (256, 0, 512, 512)) for surface in surfaces]


def draw(sources, label, size, random):
    surface = sources[label]
    # A rotated square inside the surface.
    side = random.uniform(80, 180)
    turn = random.uniform(0, 2 * math.pi)
    reach = side / 2 * (abs(math.cos(turn)) + abs(math.sin(turn)))
    x, y = random.uniform(reach, 256 - reach), random.uniform(reach, 512 - reach)
    c, s = math.cos(turn) * side / size, math.sin(turn) * side / size
    half = size / 2
    image = surface.transform((size, size), Image.Transform.AFFINE,
                              (c, s, x - (c + s) * half, -s, c, y - (c - s) * half), Image.Resampling.BICUBIC)

    # A random tint of random strength, then uneven light.
    grey = ImageOps.autocontrast(image.convert("L"), cutoff=1) if random.random() < 0.5 else image.convert("L")
    light = tuple(random.randint(120, 255) for _ in range(3))
    image = Image.blend(image, ImageOps.colorize(grey, "black", light), random.uniform(0.3, 1))
    shade = Image.new("L", (2, 2))
    shade.putdata([random.randint(90, 255) for _ in range(4)])
    image = Image.composite(image, Image.new("RGB", (size, size)), shade.resize((size, size), Image.Resampling.BILINEAR))
    return ImageEnhance.Brightness(image).enhance(random.uniform(0.8, 1.6))
