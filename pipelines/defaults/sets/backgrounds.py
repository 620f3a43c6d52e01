"""Photographic backgrounds: wallpapers, of which `learn` uses the left halves and `test` the right ones."""
import glob
import os

from PIL import Image

HEIGHT = 360


def files(packages):
    mate = glob.glob(f"{packages}/mate-backgrounds/usr/share/backgrounds/mate/nature/*.jpg")
    plasma = f"{packages}/plasma-workspace-wallpapers/usr/share/wallpapers"
    for wallpaper in os.listdir(plasma):
        images = glob.glob(f"{plasma}/{wallpaper}/contents/images/*.*")
        landscapes = [image for image in images if width(image) > height(image)]
        if landscapes:
            mate.append(min(landscapes, key=lambda image: (width(image), image)))
    return sorted(mate)


def width(path):
    return int(os.path.basename(path).split(".")[0].split("x")[0])


def height(path):
    return int(os.path.basename(path).split(".")[0].split("x")[1])


def halves(packages, part):
    """The left or right halves of all wallpapers, HEIGHT high."""
    result = []
    for path in files(packages):
        image = Image.open(path).convert("RGB")
        w, h = image.width * HEIGHT // image.height, HEIGHT
        image = image.resize((w, h), Image.Resampling.LANCZOS)
        result.append(image.crop((0, 0, w // 2, h) if part == "learn" else (w // 2, 0, w, h)))
    return result


def crop(images, size, random):
    """A random square crop of one of the images, possibly mirrored, as an image of size × size."""
    image = random.choice(images)
    side = random.randint(size, min(image.size))
    x, y = random.randint(0, image.width - side), random.randint(0, image.height - side)
    piece = image.resize((size, size), Image.Resampling.BILINEAR, (x, y, x + side, y + side))
    return piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else piece
