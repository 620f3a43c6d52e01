"""Printed letters, digits and signs: grey, on paper, between neighbouring characters. Learn and test use different font families."""
import glob
import math
import os

from PIL import Image, ImageDraw, ImageFilter, ImageFont

CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ23456789&?%$#@"

CLASSES = [f"{ord(character):02x}" for character in CHARACTERS]
SIZE = 96


def load(packages, part):
    families = sorted(family for family in glob.glob(f"{packages}/fonts-*") if "emoji" not in family)
    fonts = []
    for family in families[::2] if part == "learn" else families[1::2]:
        files = sorted(glob.glob(f"{family}/usr/share/fonts/**/*.[ot]tf", recursive=True))
        files = [file for file in files if not os.path.islink(file)]
        whole = [font for font in (ImageFont.truetype(file, SIZE) for file in files) if has_all(font)]
        # Each family has the same weight, whatever its number of fonts.
        if whole:
            fonts.append(whole)
    return fonts


def has_all(font):
    """Whether a font has all characters: a missing one looks like a character that no font has."""
    lacking = font.getmask("\uffff")
    masks = [font.getmask(character) for character in CHARACTERS]
    return all(mask.size[0] and bytes(mask) != bytes(lacking) for mask in masks) and len({bytes(mask) for mask in masks}) == len(masks)


def draw(sources, label, size, random):
    font = random.choice(random.choice(sources))
    character = CHARACTERS[label]
    # A line of three characters, the middle one from the class, on a sheet with room to rotate it.
    sheet = Image.new("L", (4 * SIZE, 4 * SIZE))
    ink = ImageDraw.Draw(sheet)
    left, top, right, bottom = font.getbbox(character)
    x, y = 2 * SIZE - (left + right) / 2, 2 * SIZE - (top + bottom) / 2
    before, after = random.choice(CHARACTERS), random.choice(CHARACTERS)
    ink.text((x, y), character, 255, font)
    ink.text((x - font.getlength(before), y), before, 255, font)
    ink.text((x + font.getlength(character), y), after, 255, font)

    # The visible part of the sheet: roughly centred, rotated and slanted, the character's larger side 40 to 80 % of the image.
    scale = max(right - left, bottom - top) / (random.uniform(0.4, 0.8) * size)
    turn, slant = math.radians(random.uniform(-20, 20)), random.uniform(-0.3, 0.3)
    a, b = scale * math.cos(turn), scale * (math.sin(turn) + slant)
    d, e = -scale * math.sin(turn), scale * math.cos(turn)
    u, v = (size * random.uniform(0.4, 0.6) for _ in range(2))
    mask = sheet.filter(ImageFilter.GaussianBlur(max(0, scale - 1) / 2)).transform(
        (size, size), Image.Transform.AFFINE, (a, b, 2 * SIZE - a * u - b * v, d, e, 2 * SIZE - d * u - e * v), Image.Resampling.BILINEAR)

    # Paper and ink in greys of low or high contrast, dark on light or the reverse, and paper grain.
    paper, dark = random.randint(90, 255), random.randint(0, 60)
    if random.random() < 0.3:
        paper, dark = dark, paper
    image = Image.composite(Image.new("L", (size, size), dark), Image.new("L", (size, size), paper), mask)
    grain = Image.frombytes("L", (size // 2, size // 2), random.randbytes(size * size // 4)).resize((size, size), Image.Resampling.BICUBIC)
    return Image.blend(image, grain, random.uniform(0, 0.25)).convert("RGB")
