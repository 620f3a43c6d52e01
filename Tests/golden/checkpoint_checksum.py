"""The checksum of the checkpoint in Tests/TensorStreamsTests/ChecksumTests.swift. pip install numpy xxhash"""
import json

import numpy
import xxhash

metadata = {"network": "tiny-resnet10", "epoch": "3", "steps": "12", "provenance": 'a\nb "é"'}
tensors = {
    "a.weight": ("F32", numpy.array([[1, -2], [3.5, 4]], "<f4")),
    "b": ("I64", numpy.array(7, "<i8")),
    "c": ("U8", numpy.array([1, 2, 3], "u1")),
    "none": ("F32", numpy.zeros((0, 4), "<f4")),
}


def in_order(entries):
    return dict(sorted(entries.items(), key=lambda entry: entry[0].encode()))


text = json.dumps({
    "metadata": in_order(metadata),
    "tensors": in_order({name: [dtype, list(a.shape), xxhash.xxh64(a.tobytes()).hexdigest()] for name, (dtype, a) in tensors.items()}),
}, separators=(",", ":"), ensure_ascii=False)
print("xxh64:" + xxhash.xxh64(text.encode()).hexdigest())
