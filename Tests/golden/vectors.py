"""Test vectors of docs/tensor-stream.md: vector.tensors.zst, vector.safetensors and vector.json, which says what is in them.

    pip install numpy safetensors zstandard xxhash; python3 vectors.py
"""
import json
import struct

import numpy
import safetensors.numpy
import xxhash
import zstandard


def document(tensors, metadata):
    if tensors:
        return safetensors.numpy.save(tensors, metadata)
    header = json.dumps({"__metadata__": metadata}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header


def frame(content):
    return zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=True).compress(content)


header = {"format": "tensor-stream/1", "provenance": "numpy 1\nvectors 1 --seed 7", "classes": '["cat","dög"]', "records": "2"}
records = [
    ({"epoch": "0", "step": "0"}, {
        "images": numpy.arange(2 * 1 * 2 * 2 * 3, dtype="u1").reshape(2, 1, 2, 2, 3), "index": numpy.array([5, 9], "i8"),
        "label": numpy.array([0, -1], "i4"), "teacher": numpy.array([[0.6, 0.8], [-1, 0]], "f4")}),
    ({"epoch": "0", "step": "1"}, {
        "images": numpy.full((1, 1, 2, 2, 3), 255, "u1"), "index": numpy.array([7], "i8"), "label": numpy.array([1], "i4"),
        "teacher": numpy.array([[0, 1]], "f4")}),
]

frames = [document({}, header)] + [document(tensors, metadata) for metadata, tensors in records]
stream, sizes = b"", []
for content in frames:
    compressed = frame(content)
    stream += compressed
    sizes.append((len(compressed), len(content)))
content = document({}, {"end": str(len(records)), "checksum": xxhash.xxh64(stream).hexdigest(), "index": "seekable"})
compressed = frame(content)
sizes.append((len(compressed), len(content)))
index = b"".join(struct.pack("<II", *size) for size in sizes) + struct.pack("<IBI", len(sizes), 0, 0x8F92EAB1)
with open("vector.tensors.zst", "wb") as file:
    file.write(stream + compressed + struct.pack("<II", 0x184D2A5E, len(index)) + index)


def in_order(entries):
    return dict(sorted(entries.items(), key=lambda entry: entry[0].encode()))


weights = {"a.weight": numpy.array([[1, -2], [3.5, 4]], "f4"), "b": numpy.array(7, "i8")}
metadata = {"network": "none", "epoch": "3", "provenance": 'a\nb "é"'}
text = json.dumps({
    "metadata": in_order(metadata),
    "tensors": in_order({name: [{"f": "F32", "i": "I64"}[a.dtype.kind], list(a.shape), xxhash.xxh64(a.tobytes()).hexdigest()] for name, a in weights.items()}),
}, separators=(",", ":"), ensure_ascii=False)
metadata["checksum"] = "xxh64:" + xxhash.xxh64(text.encode()).hexdigest()
with open("vector.safetensors", "wb") as file:
    file.write(document(weights, metadata))


def told(metadata, tensors):
    return {"metadata": metadata, "tensors": {name: {"dtype": f"{a.dtype.kind.upper()}{8 * a.dtype.itemsize}", "shape": list(a.shape),
                                                     "values": [float(x) for x in a.flatten()]} for name, a in tensors.items()}}


with open("vector.json", "w") as file:
    json.dump({"header": header, "records": [told(*record) for record in records], "checkpoint": told(metadata, weights)}, file, indent=1, ensure_ascii=False)
    file.write("\n")
