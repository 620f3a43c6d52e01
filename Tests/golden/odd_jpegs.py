"""JPEG files that are not as they should be, and what Pillow makes of each, for ImagesTests.

    python3 Tests/golden/odd_jpegs.py [SEED COUNT]      (writes odd-jpegs.safetensors.zst beside itself; needs zstd)

Made with Pillow 13 (libjpeg-turbo 3.2). `NAME.file` are a file's bytes and `NAME.pixels` those of `Image.open(f).convert("RGB")`;
a file that Pillow refuses has no pixels. SEED and COUNT make other files instead: COUNT random changes of each kind of JPEG.
"""
import io
import pathlib
import random
import subprocess
import sys
import warnings

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

warnings.simplefilter("ignore")
out = {}


def put(name, file):
    file = bytes(file)
    assert name + ".file" not in out
    out[name + ".file"] = np.frombuffer(file, np.uint8).copy()
    try:
        out[name + ".pixels"] = np.array(Image.open(io.BytesIO(file), formats=["JPEG"]).convert("RGB"))
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")


def image(width, height):
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 120 * np.sin(x * a + y * b + c) for a, b, c in [(0.21, 0.07, 0), (0.05, 0.3, 1), (-0.13, 0.11, 2)]]
    noise = np.random.default_rng(3).normal(0, 9, (height, width, 3))
    return Image.fromarray((np.stack(waves, -1) + noise).clip(0, 255).astype(np.uint8), "RGB")


def jpeg(image, **options):
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return bytearray(file.getvalue())


def at(file, marker):
    """Where FF `marker` stands, as a segment and not in the data."""
    place = 2
    while file[place + 1] != marker:
        place += 2 + int.from_bytes(file[place + 2 : place + 4], "big")
    return place


def with_bytes(file, place, new, old=0):
    return file[:place] + bytes(new) + file[place + old :]


def scan(file):
    """Where the data of the first scan begins."""
    start = at(file, 0xDA)
    return start + 2 + int.from_bytes(file[start + 2 : start + 4], "big")


base = jpeg(image(48, 40), quality=88)
grey = jpeg(image(48, 40).convert("L"), quality=88)
cmyk = jpeg(image(48, 40).convert("CMYK"), quality=88)
progressive = jpeg(image(48, 40), quality=88, progressive=True)
restarts = jpeg(image(48, 40), quality=88, restart_marker_blocks=2)
kinds = {"base": base, "grey": grey, "cmyk": cmyk, "progressive": progressive, "restarts": restarts}


def changed(file, place, value):
    file = bytearray(file)
    file[place] = value
    return file


def main():
    for name, file in kinds.items():
        put(name, file)
    # Scan headers of some cameras: spectral selection and approximation that mean nothing in a sequential JPEG.
    end = scan(base)
    for number, values in enumerate([(0, 0, 0), (0, 63, 0x11), (1, 63, 0), (0, 62, 0x10), (63, 0, 0xFF)]):
        put(f"scan header {number}", with_bytes(base, end - 3, values, 3))
    put("scan header grey", with_bytes(grey, scan(grey) - 3, (0, 0, 0), 3))
    # JFIF's revision and what else it says.
    jfif = at(base, 0xE0)
    for major, minor in [(2, 1), (0, 9), (9, 99)]:
        put(f"jfif {major}.{minor}", with_bytes(base, jfif + 9, (major, minor), 2))
    put("jfif density 0", with_bytes(base, jfif + 11, (7, 0, 0, 0, 0), 5))
    put("jfif short", with_bytes(base, jfif, b"\xff\xe0\0\x09JFIF\0\1\1", 18))
    # Adobe's transform.
    for name, file, transforms in [("colour", base, [0, 1, 2, 3, 255]), ("cmyk", cmyk, [0, 1, 2, 3, 255])]:
        for transform in transforms:
            segment = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])
            where = at(file, 0xEE) if name == "cmyk" else 2
            put(f"adobe {name} {transform}", with_bytes(file, where, segment, 16 if name == "cmyk" else 0))
    put("adobe short", with_bytes(base, 2, b"\xff\xee\0\x08Adobe\0"))
    put("jfif too short", with_bytes(base, jfif, b"\xff\xe0\0\x08JFIF\0\1", 18))
    put("jfif in name only", with_bytes(base, jfif, b"\xff\xe0\0\x05JFX", 18))
    put("icc too short", with_bytes(base, 2, b"\xff\xe2\0\x0fICC_PROFILE\0\1"))
    # Bytes where none belong.
    put("stray bytes", with_bytes(base, at(base, 0xDB), b"\1\2\3\0\xff\0"))
    put("stray bytes before the scan", with_bytes(base, at(base, 0xDA), range(1, 60)))
    put("stray bytes and trailer", with_bytes(base, at(base, 0xDA), b"\1\2\3") + bytes(range(256)) * 40)
    put("fill bytes", with_bytes(base, at(base, 0xC4), b"\xff" * 9))
    put("after the start", with_bytes(base, 2, b"\xff\xff\xff"))
    put("zeros behind the end", base + bytes(70000))
    put("no end and zeros", base[:-2] + bytes(9000))
    put("stray bytes, no end and zeros", with_bytes(base, at(base, 0xDA), b"\1\2\3")[:-2] + bytes(9000))
    put("text behind the end", base + b"\r\n--boundary\r\n" * 500)
    put("another behind the end", base + base)
    put("markers behind the end", base + b"\xff\xc0\xff\xd8\xff\x02")
    put("video behind the end", base + b"\0\0\0\x20ftypmp42" + random.Random(5).randbytes(150000))
    put("bytes before the end", with_bytes(base, len(base) - 2, b"\xa5" * 300))
    put("zeros before the end", with_bytes(base, len(base) - 2, bytes(300)))
    put("no end", base[:-2])
    put("half an end", base[:-1])
    put("no end, grey", grey[:-2])
    put("no end, progressive", progressive[:-2])
    put("no end, restarts", restarts[:-2])
    # Data that is damaged but ends.
    middle = (scan(base) + len(base)) // 2
    put("end marker too early", base[:middle] + b"\xff\xd9")
    put("end marker at once", base[: scan(base)] + b"\xff\xd9")
    put("end marker too early, restarts", restarts[: (scan(restarts) + len(restarts)) // 2] + b"\xff\xd9")
    put("damaged data", with_bytes(base, middle, b"\x55\xaa\x55\xaa\x12\x34", 6))
    put("damaged data in progressive", with_bytes(progressive, len(progressive) * 3 // 4, b"\x55\xaa\x55\xaa\x12\x34", 6))
    put("data taken out", with_bytes(base, middle, b"", 20))
    put("zeros in the data", with_bytes(base, middle, bytes(40), 40))
    resets = [place for place in range(scan(restarts), len(restarts) - 1) if restarts[place] == 0xFF and 0xD0 <= restarts[place + 1] <= 0xD7]
    put("restart lost", with_bytes(restarts, resets[1], b"", 2))
    put("restart misnumbered", changed(restarts, resets[1] + 1, 0xD5))
    put("restart part lost", with_bytes(restarts, resets[1], b"", resets[2] - resets[1]))
    put("restart twice", with_bytes(restarts, resets[1], restarts[resets[1] : resets[1] + 2]))
    # Headers.
    frame = at(base, 0xC0)
    put("extended", changed(base, frame + 1, 0xC1))
    put("comment without bytes", with_bytes(base, 2, b"\xff\xfe\0\2"))
    put("comment of length 0", with_bytes(base, 2, b"\xff\xfe\0\0"))
    put("unknown segments", with_bytes(base, 2, b"\xff\xeb\0\5abc\xff\xef\0\2\xff\xe5\0\4\0\0"))
    put("exif that is none", with_bytes(base, 2, b"\xff\xe1\0\x10Exif\0\0" + b"\xff" * 8))
    put("icc that is none", with_bytes(base, 2, b"\xff\xe2\0\x12ICC_PROFILE\0\1\2ab"))
    put("mpf that is none", with_bytes(base, 2, b"\xff\xe2\0\x0cMPF\0II*\0\0\0"))
    put("component names RGB", bytes(base).replace(b"\1\x22\0\2\x11\1\3\x11\1", b"R\x22\0G\x11\1B\x11\1").replace(b"\3\1\0\2\x11\3\x11\0", b"\3R\0G\x11B\x11\0")[20:].join([b"\xff\xd8", b""]))
    put("component names 0, 1, 2", bytes(base).replace(b"\1\x22\0\2\x11\1\3\x11\1", b"\0\x22\0\1\x11\1\2\x11\1").replace(b"\3\1\0\2\x11\3\x11\0", b"\3\0\0\1\x11\2\x11\0"))
    put("grey, two by two", changed(grey, at(grey, 0xC0) + 11, 0x22))
    put("grey, four by one", changed(grey, at(grey, 0xC0) + 11, 0x41))
    standard = jpeg(image(48, 40), quality=88)
    while True:
        try:
            place = at(standard, 0xC4)
        except IndexError:
            break
        if place > at(standard, 0xDA):
            break
        standard = with_bytes(standard, place, b"", 2 + int.from_bytes(standard[place + 2 : place + 4], "big"))
    put("no Huffman tables, as in MJPEG", standard)
    table = at(base, 0xDB)
    put("no quantization table", with_bytes(base, table, b"", 2 + int.from_bytes(base[table + 2 : table + 4], "big")))
    put("short quantization table", with_bytes(base, table, b"\xff\xdb\0\5\2\1\1"))
    wide = b"".join(bytes([0, value]) for value in base[table + 5 : table + 69])
    put("wide quantization table", with_bytes(base, table, b"\xff\xdb\0\x83\x10" + wide, 69))
    put("two frames", with_bytes(base, frame, base[frame : frame + 19]))
    put("start twice", with_bytes(base, 2, b"\xff\xd8"))
    put("end before the scan", with_bytes(base, at(base, 0xDA), b"\xff\xd9"))
    put("marker 02", with_bytes(base, 2, b"\xff\2\0\2"))
    put("marker 01", with_bytes(base, 2, b"\xff\1"))
    put("marker F0", with_bytes(base, 2, b"\xff\xf0\0\2"))
    put("12 bits", changed(base, frame + 4, 12))
    put("two components", changed(base, frame + 9, 2))
    put("no height", with_bytes(base, frame + 5, b"\0\0", 2))
    put("no width", with_bytes(base, frame + 7, b"\0\0", 2))
    put("taller than it is", with_bytes(base, frame + 5, b"\0\x60", 2))
    put("lower than it is", with_bytes(base, frame + 5, b"\0\x18", 2))
    put("lossless", changed(base, frame + 1, 0xC3))
    put("hierarchical", changed(base, frame + 1, 0xC5))
    put("no scan", base[: at(base, 0xDA)])
    put("no frame", with_bytes(base, frame, b"", 19))
    put("bomb", with_bytes(base, frame + 5, (13378).to_bytes(2, "big") + (13377).to_bytes(2, "big"), 4))
    for place in [3, 4, 20, 200, at(base, 0xDA) + 5, scan(base), middle, len(base) - 3, len(base) - 20]:
        put(f"cut at {place}", base[:place])
    for place in [len(progressive) // 3, len(progressive) - 5]:
        put(f"progressive cut at {place}", progressive[:place])
    put("cut, and stray bytes", with_bytes(base, at(base, 0xDA), b"\1\2\3")[:-200])
    put("prefix", b"\0" + base)
    put("png", b"\x89PNG\r\n\x1a\n" + bytes(40))
    for name, sampling in [("440", (0x12, 0x11, 0x11)), ("411", (0x41, 0x11, 0x11)), ("colour finer than light", (0x11, 0x21, 0x11)), ("3 by 1", (0x31, 0x11, 0x11))]:
        file = bytearray(jpeg(image(48, 40), quality=88, subsampling="4:4:4"))
        for component, value in enumerate(sampling):
            file[at(file, 0xC0) + 11 + 3 * component] = value
        put(f"sampling {name}", file)


def changes(seed, count):
    source = random.Random(seed)
    for name, file in kinds.items():
        for number in range(count):
            new = bytearray(file)
            for _ in range(source.choice([1, 1, 2, 4])):
                place = source.randrange(2, len(new)) if source.random() < 0.5 else source.randrange(2, min(len(new), 640))
                match source.randrange(5):
                    case 0: new[place] = source.randrange(256)
                    case 1: new[place] ^= 1 << source.randrange(8)
                    case 2: new[place:place] = source.randbytes(source.randrange(1, 9))
                    case 3: del new[place : place + source.randrange(1, 30)]
                    case 4: del new[len(new) - source.randrange(1, 30) :]
            put(f"{name} {number}", new)


if len(sys.argv) == 3:
    changes(int(sys.argv[1]), int(sys.argv[2]))
    target = pathlib.Path("changed-jpegs.safetensors")
else:
    main()
    target = pathlib.Path(__file__).parent / "odd-jpegs.safetensors"
print(sum(name.endswith(".file") for name in out), "files,", sum(name.endswith(".pixels") for name in out), "with pixels")
save_file(out, target)
subprocess.run(["zstd", "-19", "--rm", "-q", "-f", target], check=True)
