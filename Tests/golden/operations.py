"""What Pillow and torchvision make of small images by the operations of recipes, and how torchvision draws their numbers, for ImagesTests.

    python3 Tests/golden/operations.py        (writes operations.safetensors.zst beside itself; needs zstd, and images.safetensors.zst)

Made with Pillow 13 and torchvision 0.29. Tensors are u8; a case's parameters are JSON in the metadata, by its name.
"""
import json
import pathlib
import random
import subprocess

import numpy as np
import torch
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image, ImageFilter
from safetensors.torch import load, save_file
from torchvision.transforms import InterpolationMode, autoaugment

here = pathlib.Path(__file__).parent
images = load(subprocess.run(["zstd", "-dc", here / "images.safetensors.zst"], check=True, capture_output=True).stdout)
photo = Image.fromarray(images["jpeg.420.pixels"].numpy(), "RGB")
colours = Image.fromarray(images["colours"].numpy(), "RGB")
pale = Image.fromarray((np.array(photo) // 9 + 90).astype(np.uint8), "RGB")
sources = {"photo": photo, "colours": colours, "pale": pale, "flat": Image.new("RGB", (6, 4), (7, 200, 0))}
for name, (w, h) in {"3x3": (3, 3), "2x5": (2, 5), "5x2": (5, 2), "1x1": (1, 1), "7x6": (7, 6)}.items():
    sources[name] = photo.crop((30, 20, 30 + w, 20 + h))
out, about = {}, {}


def put(name, image, **parameters):
    out[name] = torch.from_numpy(np.array(image).copy())
    if parameters:
        about[name] = json.dumps(parameters)


for name, image in sources.items():
    put(f"source.{name}", image)

for left, top, w, h, width, height in [
    (0, 0, 61, 47, 61, 47), (0, 0, 61, 47, 30, 30), (0, 0, 61, 47, 61, 20), (0, 0, 61, 47, 20, 47), (0, 0, 61, 47, 7, 5),
    (0, 0, 61, 47, 1, 1), (0, 0, 61, 47, 90, 70), (0, 0, 61, 47, 3, 80), (5, 3, 40, 41, 32, 32), (10, 1, 33, 45, 32, 32),
    (60, 46, 1, 1, 4, 4), (60, 0, 1, 47, 8, 8), (0, 46, 61, 1, 8, 8), (1, 1, 2, 2, 33, 9), (30, 0, 31, 47, 2, 2), (3, 2, 31, 45, 32, 32),
]:
    part = photo.crop((left, top, left + w, top + h))
    put(f"bicubic.{left}.{top}.{w}.{h}.{width}.{height}", part.resize((width, height), Image.BICUBIC), crop=[left, top, w, h], size=[width, height])

for size in [32, 7]:
    view = T.Compose([T.Resize(size * 256 // 224, interpolation=InterpolationMode.BICUBIC), T.CenterCrop(size)])(photo)
    put(f"evaluation-bicubic.{size}", view, size=size)

change = {
    "brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation, "hue": F.adjust_hue, "sharpness": F.adjust_sharpness,
    "grey": lambda image, _: F.rgb_to_grayscale(image, 3), "solarise": F.solarize, "posterise": lambda image, bits: F.posterize(image, int(bits)),
    "equalise": lambda image, _: F.equalize(image), "autocontrast": lambda image, _: F.autocontrast(image), "flip": lambda image, _: F.hflip(image),
    "blur": lambda image, sigma: image.filter(ImageFilter.GaussianBlur(radius=sigma)),
}
named = {"shearX": "ShearX", "shearY": "ShearY", "translateX": "TranslateX", "translateY": "TranslateY", "rotate": "Rotate"}


def apply(image, steps):
    for kind, value in steps:
        if kind in named:
            image = autoaugment._apply_op(image, named[kind], value, InterpolationMode.NEAREST, None)
        else:
            image = change[kind](image, value)
    return image


cases = [(source, [("solarise", t)]) for source in ["colours", "photo"] for t in [0, 1, 100, 128, 178.5, 256]]
cases += [("colours", [("posterise", bits)]) for bits in range(1, 9)]
cases += [(source, [(kind, 0)]) for source in sources for kind in ["equalise", "autocontrast"]]
cases += [(source, [("sharpness", f)]) for source in ["colours", "photo", "3x3", "2x5", "5x2", "1x1", "7x6"] for f in [0, 0.1, 0.91, 1, 1.9]]
for source in ["colours", "photo", "7x6", "2x5", "1x1"]:
    cases += [(source, [(kind, f)]) for kind in ["shearX", "shearY"] for f in [0, 0.09, -0.09, 0.3, -0.3, 0.21]]
    cases += [(source, [(kind, f)]) for kind in ["translateX", "translateY"] for f in [0, 1, -3, 40]]
    cases += [(source, [("rotate", f)]) for f in [0, 9, -9, 30, -30, 13.7, -0.5, 90, 180]]
cases += [
    ("photo", [("flip", 0), ("rotate", 9), ("equalise", 0)]), ("photo", [("sharpness", 1.27), ("flip", 0), ("shearX", 0.09)]),
    ("photo", [("flip", 0), ("saturation", 1.7), ("brightness", 0.5), ("hue", -0.2), ("contrast", 1.5), ("grey", 0), ("blur", 1.1), ("solarise", 128)]),
    ("photo", [("contrast", 0.6), ("solarise", 128), ("equalise", 0), ("posterise", 3), ("autocontrast", 0), ("flip", 0), ("flip", 0)]),
    ("pale", [("autocontrast", 0), ("translateX", -12), ("flip", 0), ("translateY", 5), ("blur", 0.7), ("sharpness", 0.3)]),
]
for number, (source, steps) in enumerate(cases):
    put(f"operation.{number}", apply(sources[source], steps), source=source, steps=steps)

# A whole view by cubics.
put("view", apply(F.resized_crop(photo, 3, 5, 41, 40, [32, 32], interpolation=InterpolationMode.BICUBIC), [("flip", 0), ("blur", 1.3), ("solarise", 128)]),
    crop=[5, 3, 40, 41], steps=[("flip", 0), ("blur", 1.3), ("solarise", 128)])

# RandAugment's strengths.
augment = T.RandAugment()
about["strengths"] = json.dumps([
    {"width": w, "height": h, "table": {
        name: [float(v) for v in magnitudes] if magnitudes.ndim else [float(magnitudes)] * 31
        for name, (magnitudes, _) in augment._augmentation_space(31, (h, w)).items()}}
    for w, h in [(224, 224), (96, 96), (61, 47)]])

# How numbers are drawn: their quantiles 0, 1, ..., 100 %, and how often each choice is made.
torch.manual_seed(3)
random.seed(3)
draws = 20000


def quantiles(values):
    return [float(v) for v in np.quantile(np.array(values, dtype=np.float64), np.linspace(0, 1, 101))]


drawn = {}
frame = Image.new("RGB", (500, 375))
for scale in [(0.08, 1.0), (0.05, 0.14)]:
    boxes = [T.RandomResizedCrop.get_params(frame, list(scale), [3 / 4, 4 / 3]) for _ in range(draws)]
    drawn[f"crop {scale[0]}"] = {
        "scale": scale, "area": quantiles([h * w / (500 * 375) for i, j, h, w in boxes]), "ratio": quantiles([w / h for i, j, h, w in boxes]),
        "left": quantiles([j for i, j, h, w in boxes]), "top": quantiles([i for i, j, h, w in boxes])}
jitter = T.ColorJitter(0.8, 0.8, 0.8, 0.2)
parameters = [T.ColorJitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) for _ in range(draws)]
orders = ["".join(str(int(i)) for i in order) for order, *_ in parameters]
drawn["jitter"] = {
    **{name: quantiles([p[1 + k] for p in parameters]) for k, name in enumerate(["brightness", "contrast", "saturation", "hue"])},
    "orders": {order: orders.count(order) / draws for order in sorted(set(orders))}}
drawn["sigma"] = quantiles([random.uniform(0.1, 2.0) for _ in range(draws)])  # MoCo's and SwAV's own blur.
record = []
kept, autoaugment._apply_op = autoaugment._apply_op, lambda image, name, magnitude, **_: (record.append((name, magnitude)), image)[1]
for _ in range(draws // 2):
    T.RandAugment()(frame)
autoaugment._apply_op = kept
drawn["randaugment"] = {name: {
    "share": sum(n == name for n, _ in record) / len(record), "negative": sum(n == name and m < 0 for n, m in record) / len(record)}
    for name in augment._augmentation_space(31, (1, 1))}
about["drawn"] = json.dumps(drawn)

target = here / "operations.safetensors"
save_file({name: tensor.contiguous() for name, tensor in out.items()}, target, about)
subprocess.run(["zstd", "-19", "--rm", "-q", "-f", target], check=True)
target.with_suffix(".safetensors.zst").chmod(0o644)
