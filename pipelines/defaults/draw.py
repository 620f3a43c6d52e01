"""Draws a set of labelled images from the contents of Debian packages.

    draw.py objects --packages FOLDER -o FOLDER

writes learn.tar, held-out.tar, test.tar and sheet.jpg. held-out is drawn from the same sources as learn, test from the other half. Every
image depends only on its set, part, class and number.
"""
import argparse
import importlib
import io
import multiprocessing
import os
import random
import tarfile

from PIL import Image

SETS = ["objects", "glyphs", "emoji", "textures"]
SIZE = 128
# Images in each of the forty classes.
COUNTS = {"learn": 500, "held-out": 75, "test": 75}


def prepare(name, packages, part):
    global drawn, drawn_set, drawn_part, sources
    drawn_set, drawn_part = name, part
    drawn = importlib.import_module(f"sets.{name}")
    sources = drawn.load(packages, "test" if part == "test" else "learn")


def image(label, number):
    chance = random.Random(f"{drawn_set}/{drawn_part}/{label}/{number}")
    return drawn.draw(sources, label, SIZE, chance)


def jpegs(label):
    """All images of a class, as JPEG."""
    result = []
    for number in range(COUNTS[drawn_part]):
        file = io.BytesIO()
        image(label, number).save(file, "JPEG", quality=90)
        result.append(file.getvalue())
    return result


def write(name, packages, part, path, processes):
    classes = importlib.import_module(f"sets.{name}").CLASSES
    with multiprocessing.Pool(processes, prepare, (name, packages, part)) as pool, tarfile.open(path + ".part", "w") as tar:
        for label, files in enumerate(pool.imap(jpegs, range(len(classes)))):
            for number, file in enumerate(files):
                member = tarfile.TarInfo(f"{classes[label]}/{number:04d}.jpg")
                member.size = len(file)
                tar.addfile(member, io.BytesIO(file))
    os.replace(path + ".part", path)


def sheet(name, packages, path):
    """Four images of each class, two of learn and two of test."""
    width = 5 * 4 * 96
    result = Image.new("RGB", (width, 8 * 96))
    for half, part in enumerate(["learn", "test"]):
        prepare(name, packages, part)
        for label in range(40):
            for number in range(2):
                place = (label % 5 * 4 + half * 2 + number) * 96, label // 5 * 96
                result.paste(image(label, number).resize((94, 94)), place)
    result.save(path, quality=90)


def main():
    parser = argparse.ArgumentParser(description="Draw a set of labelled images.")
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--packages", required=True, help="the folder of unpacked Debian packages")
    parser.add_argument("-o", "--output", required=True, help="the folder to write to")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--sheet-only", action="store_true")
    options = parser.parse_args()

    os.makedirs(options.output, exist_ok=True)
    sheet(options.set, options.packages, f"{options.output}/sheet.jpg")
    # Learn last: if it exists, all parts do.
    for part in [] if options.sheet_only else ["test", "held-out", "learn"]:
        write(options.set, options.packages, part, f"{options.output}/{part}.tar", options.processes)


if __name__ == "__main__":
    main()
