"""Emoji on colour gradients, among smaller emoji of no class; those differ between learn and test."""
from PIL import Image, ImageDraw, ImageFont

from .objects import paste

EMOJI = "😀😂😍😎😭😡😱😴😷🤠👽🤖👻💀🎃🐶🐱🐭🐰🦊🐻🐼🐨🐯🦁🐸🐵🐔🐧🍎🍋🍉🍓🍒🍕🍔🍩🎂⚽🏀"
# Distractors, the first half for learn, the second for test.
BESIDE = "🌲🌵🌷🌹🍄🌙⭐🔥🌈❄🎈🎁🎸🎺🎻🥁📷💡📚✂🔑🔨🔔⏰🚗🚌🚲🚀⛵🏠🏰⛺🎡🧲💎👑👒👟🧦👜"

CLASSES = [f"{ord(emoji):x}" for emoji in EMOJI]
# The only size of the font's bitmaps.
SIZE = 109


def load(packages, part):
    font = ImageFont.truetype(f"{packages}/fonts-noto-color-emoji/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf", SIZE)
    half = len(BESIDE) // 2
    beside = BESIDE[:half] if part == "learn" else BESIDE[half:]
    return [bitmap(emoji, font) for emoji in EMOJI], [bitmap(emoji, font) for emoji in beside]


def bitmap(emoji, font):
    image = Image.new("RGBA", (160, 160))
    ImageDraw.Draw(image).text((10, 10), emoji, font=font, embedded_color=True)
    return image.crop(image.getbbox())


def draw(sources, label, size, random):
    emoji, beside = sources
    # A gradient between four pale colours in the corners.
    corners = Image.new("RGB", (2, 2))
    corners.putdata([tuple(random.randint(96, 255) for _ in range(3)) for _ in range(4)])
    image = corners.resize((size, size), Image.Resampling.BILINEAR)
    for _ in range(random.randint(1, 4)):
        paste(image, random.choice(beside), random.uniform(0.15, 0.35), random)
    paste(image, emoji[label], random.uniform(0.45, 0.9), random)
    return image
