"""Compares augment with torchvision's transforms on PIL images: one core each, alternating, by processor time.

    python3 pipelines/augment_peer.py DATA.tar [ROUNDS]        (needs torchvision; finds augment in PATH)

SwAV's crops, one of 224x224 and six of 96x96 of every image, from the JPEG files of an archive to RGB bytes. augment's time includes packing
its stream; torchvision's includes neither ToTensor nor Normalize, nor the program's start.
"""
import io
import os
import random
import statistics
import subprocess
import sys
import tarfile
import time

import torch
import torchvision.transforms as T
from PIL import Image, ImageFilter

torch.set_num_threads(1)


class Blur:
    def __call__(self, image):
        return image.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2)))


def swav(size, low, high):
    return T.Compose([
        T.RandomResizedCrop(size, scale=(low, high)), T.RandomHorizontalFlip(), T.RandomApply([T.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8),
        T.RandomGrayscale(p=0.2), T.RandomApply([Blur()], p=0.5)])


def peer(files):
    large, small = swav(224, 0.14, 1), swav(96, 0.05, 0.14)
    start = time.process_time()
    for data in files:
        image = Image.open(io.BytesIO(data)).convert("RGB")
        for transform, count in [(large, 1), (small, 6)]:
            for _ in range(count):
                transform(image).tobytes()
    return time.process_time() - start


def ours(data, epochs):
    def used():
        times = os.times()
        return times.children_user + times.children_system

    start = used()
    subprocess.run(
        ["augment", "--data", data, "--recipe", "swav", "--crops", "1x224@0.14-1 6x96@0.05-0.14", "--batch", "64", "--threads", "1", "--epochs", str(epochs),
         "--level", "-7", "--allow-bad", "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return (used() - start) / epochs


def main():
    data, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tarfile.open(data) as archive:
        files = [archive.extractfile(member).read() for member in archive if member.isfile() and member.name.lower().endswith((".jpg", ".jpeg"))]
    print(f"{len(files)} images; Pillow {__import__('PIL').__version__}, torchvision {__import__('torchvision').__version__}")
    ratios = []
    for number in range(rounds):
        a, b = ours(data, 4), peer(files)
        ratios.append(b / a)
        print(f"round {number + 1}: augment {len(files) / a:.0f}, torchvision {len(files) / b:.0f} images/s of processor time, ratio {b / a:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


main()
