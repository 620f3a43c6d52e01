"""The first record of a tensor stream, as NumPy's arrays. pip install safetensors zstandard numpy"""
import json

import safetensors.numpy
import zstandard


def first_record(path):
    stream = zstandard.ZstdDecompressor().stream_reader(open(path, "rb"), read_across_frames=True)
    while True:
        length = stream.read(8)
        header = stream.read(int.from_bytes(length, "little"))
        entries = {name: entry for name, entry in json.loads(header).items() if name != "__metadata__"}
        if entries:
            return safetensors.numpy.load(length + header + stream.read(max(entry["data_offsets"][1] for entry in entries.values())))
