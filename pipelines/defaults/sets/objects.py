"""Photographed objects on photographed backgrounds, like the scenes, but with forty other objects."""
from PIL import Image, ImageEnhance

from . import backgrounds

STAMPS = """animals/amphibians/frog animals/birds/adelaide-rosella animals/birds/crowned_crane animals/birds/duck
animals/birds/hen animals/birds/owl animals/birds/penguin animals/birds/pink_flamingo animals/birds/rooster animals/birds/tucan
animals/fish/butterflyfish animals/fish/seahorse animals/insects/hornet animals/insects/mantis animals/lizards/iguana
animals/mammals/apes/chimp animals/mammals/aquatic/dolphin animals/mammals/bears/european-bear animals/mammals/bovines/bison
animals/mammals/bovines/cow animals/mammals/bovines/sheep animals/mammals/cats/lion-2 animals/mammals/cats/tiger
animals/mammals/deer/deer animals/mammals/dogs/dog animals/mammals/dogs/fox animals/mammals/elephant animals/mammals/equines/zebra
animals/mammals/giraffe animals/mammals/rodents/squirrel animals/marsupials/kangaroo food/fruit/pear food/fruit/pineapple
food/vegetables/broccoli food/vegetables/garlic hobbies/binoculars hobbies/music/string/guitar_classical household/Lightbulb
household/rubberduck household/tools/hammer""".split()

CLASSES = [stamp.split("/")[-1].lower() for stamp in STAMPS]


def load(packages, part):
    folder = f"{packages}/tuxpaint-stamps-default/usr/share/tuxpaint/stamps"
    stamps = [Image.open(f"{folder}/{stamp}.png").convert("RGBA") for stamp in STAMPS]
    stamps = [stamp.crop(stamp.getbbox()) for stamp in stamps]
    for stamp in stamps:
        stamp.thumbnail((256, 256), Image.Resampling.LANCZOS)
    return stamps, backgrounds.halves(packages, part)


def draw(sources, label, size, random):
    stamps, photographs = sources
    image = backgrounds.crop(photographs, size, random)
    paste(image, stamps[label], random.uniform(0.55, 1), random)
    return image


def paste(image, stamp, share, random):
    """Pastes a stamp at a random place in an image: possibly mirrored, rotated, with random lighting; `share` is its longer side relative to the image's."""
    if random.random() < 0.5:
        stamp = stamp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = share * image.width / max(stamp.size)
    stamp = stamp.resize([max(1, round(side * scale)) for side in stamp.size], Image.Resampling.BILINEAR, reducing_gap=2)
    stamp = stamp.rotate(random.uniform(-25, 25), Image.Resampling.BILINEAR, expand=True)
    colours = stamp.convert("RGB")
    for change in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        colours = change(colours).enhance(random.uniform(0.6, 1.4))
    # Up to a quarter of it may lie outside the image.
    x, y = [random.randint(*sorted((-part // 4, whole - part * 3 // 4))) for part, whole in zip(stamp.size, image.size)]
    image.paste(colours, (x, y), stamp.getchannel("A"))
