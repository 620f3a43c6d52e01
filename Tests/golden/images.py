"""What Pillow and torchvision make of small images, for ImagesTests.

    python3 Tests/golden/images.py        (writes images.safetensors.zst beside itself; needs zstd)

Made with Pillow 13 and torchvision 0.29. Tensors are u8; a case's parameters are JSON in the metadata, by its name.
"""
import io
import json
import pathlib
import subprocess
import zlib

import numpy as np
import torch
import torchvision.transforms as T
import torchvision.transforms.functional as F
from PIL import Image, ImageFilter
from safetensors.torch import save_file

random = np.random.default_rng(7)
out, about = {}, {}


def image(width, height):
    """Smooth colours, edges and some noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 120 * np.sin(x * a + y * b + c) for a, b, c in [(0.21, 0.07, 0), (0.05, 0.3, 1), (-0.13, 0.11, 2)]]
    image = np.stack(waves, -1)
    image[height // 4 : height // 2, width // 3 : width // 2] = (250, 20, 40)
    image += random.normal(0, 9, image.shape)
    return Image.fromarray(image.clip(0, 255).astype(np.uint8), "RGB")


def put(name, image, **parameters):
    array = np.array(image)
    out[name] = torch.from_numpy(array.copy())
    if parameters:
        about[name] = json.dumps(parameters)


def jpeg(name, image, **options):
    """A JPEG file and its pixels, as `Image.open(f).convert("RGB")` gives them."""
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    out[f"jpeg.{name}.file"] = torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
    decoded = Image.open(file).convert("RGB")
    put(f"jpeg.{name}.pixels", decoded)
    return decoded


base = image(61, 47)
photo = jpeg("420", base, quality=90)
jpeg("422", base, quality=80, subsampling="4:2:2")
jpeg("444", base, quality=95, subsampling="4:4:4")
jpeg("progressive", base, quality=75, progressive=True)
jpeg("grey", base.convert("L"), quality=85)
jpeg("cmyk", base.convert("CMYK"), quality=85)
cmyk = bytearray(out["jpeg.cmyk.file"].numpy().tobytes())
cmyk[cmyk.index(b"Adobe") + 11] = 2  # The same numbers, said to be YCCK.
out["jpeg.ycck.file"] = torch.frombuffer(cmyk, dtype=torch.uint8)
put("jpeg.ycck.pixels", Image.open(io.BytesIO(cmyk)).convert("RGB"))
jpeg("1x1", image(1, 1), quality=90)
jpeg("1x9", image(1, 9), quality=90)
jpeg("17x1", image(17, 1), quality=90)

# Resize: the whole of the 61×47 image, or a part of it.
for left, top, w, h, width, height in [
    (0, 0, 61, 47, 61, 47), (0, 0, 61, 47, 30, 30), (0, 0, 61, 47, 61, 20), (0, 0, 61, 47, 20, 47), (0, 0, 61, 47, 7, 5),
    (0, 0, 61, 47, 1, 1), (0, 0, 61, 47, 90, 70), (0, 0, 61, 47, 3, 80), (5, 3, 40, 41, 32, 32), (10, 1, 33, 45, 32, 32),
    (10, 1, 34, 38, 32, 32), (60, 46, 1, 1, 4, 4), (60, 0, 1, 47, 8, 8), (0, 46, 61, 1, 8, 8), (1, 1, 2, 2, 33, 9), (3, 2, 31, 45, 32, 32),
]:
    part = photo.crop((left, top, left + w, top + h))
    put(f"resize.{left}.{top}.{w}.{h}.{width}.{height}", part.resize((width, height), Image.BILINEAR), crop=[left, top, w, h], size=[width, height])

# Colours, one after the other, on a 29×23 image that has also extreme colours.
colours = np.array(photo.resize((29, 23)))
colours[0, :8] = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (1, 0, 0), (254, 255, 255)]
colours = Image.fromarray(colours, "RGB")
put("colours", colours)
change = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation, "hue": F.adjust_hue}


def recolour(image, steps):
    for kind, factor in steps:
        image = F.rgb_to_grayscale(image, 3) if kind == "grey" else change[kind](image, factor)
    return image


cases = [[("grey", 0)]]
cases += [[(kind, f)] for kind in ["brightness", "contrast", "saturation"] for f in [0, 0.3, 0.6123, 1, 1.25, 1.4, 3.7]]
cases += [[("hue", f)] for f in [-0.5, -0.1, -0.03, 0, 0.004, 0.07, 0.1, 0.5]]
cases += [
    [("contrast", 1.3), ("contrast", 0.7), ("brightness", 1.2)],
    [("brightness", 1.37), ("contrast", 0.81), ("saturation", 1.4), ("hue", -0.09)],
    [("hue", 0.08), ("saturation", 0.6), ("contrast", 1.39), ("brightness", 0.7), ("grey", 0)],
]
for number, steps in enumerate(cases):
    put(f"colour.{number}", recolour(colours, steps), steps=steps)

# Every colour there is, turned and saturated: too much to keep, so a checksum.
every = np.arange(1 << 24, dtype=np.uint32)
every = np.stack([every & 255, every >> 8 & 255, every >> 16], -1).astype(np.uint8).reshape(4096, 4096, 3)
for name, steps in [("hue 0", [("hue", 0)]), ("hue 0.07", [("hue", 0.07)]), ("saturation 1.3", [("saturation", 1.3)]), ("grey", [("grey", 0)])]:
    about[f"every {name}"] = str(zlib.crc32(np.array(recolour(Image.fromarray(every, "RGB"), steps)).tobytes()))

for width, height in [(29, 23), (1, 1), (1, 6), (5, 1), (3, 2)]:
    small = colours.crop((0, 0, width, height))
    for sigma in [0.1, 0.5, 1.0, 1.7, 2.0] + ([3.7, 9.1] if width in (29, 3) else []):
        put(f"blur.{width}.{height}.{sigma}", small.filter(ImageFilter.GaussianBlur(radius=sigma)), size=[width, height], sigma=sigma)

# Whole views.
for number, (crop, steps, sigma, flip) in enumerate([
    ((5, 3, 40, 41), [("hue", -0.05), ("contrast", 0.7), ("brightness", 1.2), ("saturation", 1.31)], 1.3, True),
    ((0, 0, 61, 47), [("saturation", 0.65), ("brightness", 0.9), ("hue", 0.1), ("contrast", 1.4), ("grey", 0)], 0.2, False),
    ((20, 10, 13, 11), [], None, True),
    ((1, 0, 33, 47), [("grey", 0)], 1.99, False),
]):
    left, top, w, h = crop
    view = recolour(F.resized_crop(photo, top, left, h, w, [32, 32]), steps)
    if sigma:
        view = view.filter(ImageFilter.GaussianBlur(radius=sigma))
    put(f"view.{number}", F.hflip(view) if flip else view, crop=crop, steps=steps, sigma=sigma, flip=flip)

# The evaluation view; the size that the shorter side gets is size · 256 / 224, truncated.
for name in ["420", "1x1", "1x9", "17x1"]:
    for size in [32, 7] if name == "420" else [9]:
        source = Image.open(io.BytesIO(out[f"jpeg.{name}.file"].numpy().tobytes())).convert("RGB")
        put(f"evaluation.{name}.{size}", T.Compose([T.Resize(size * 256 // 224), T.CenterCrop(size)])(source), file=name, size=size)

# The parts that torchvision takes when ten tries have failed: a scale above 1 fits into nothing.
middles = []
for width, height in [(100, 100), (100, 75), (100, 74), (100, 200), (31, 47), (500, 20), (7, 9), (8, 1)]:
    i, j, h, w = T.RandomResizedCrop.get_params(Image.new("RGB", (width, height)), [4.0, 4.0], [3 / 4, 4 / 3])
    middles.append([width, height, j, i, w, h])
about["middles"] = json.dumps(middles)

target = pathlib.Path(__file__).parent / "images.safetensors"
save_file({name: tensor.contiguous() for name, tensor in out.items()}, target, about)
subprocess.run(["zstd", "-19", "--rm", "-q", "-f", target], check=True)
target.with_suffix(".safetensors.zst").chmod(0o644)
