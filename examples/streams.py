"""Tensor streams in Python (docs/tensor-stream.md): read one from a file, write one to a file. pip install numpy safetensors zstandard"""
import json
import os
import struct

import safetensors.numpy
import zstandard


class Pipe:
    """Reads the bytes that are available without waiting for more: the writer may be waiting for an answer first."""

    def __init__(self, file):
        self.descriptor = file.fileno()

    def read(self, count):
        return os.read(self.descriptor, count)


class Reader:
    """for metadata, tensors in Reader(file): … ; .header holds the header's metadata."""

    def __init__(self, file):
        self.stream = zstandard.ZstdDecompressor().stream_reader(Pipe(file), read_size=1 << 16, read_across_frames=True)
        self.header, _ = self.document()

    def document(self):
        length = self.stream.read(8)
        if len(length) < 8:
            raise EOFError("the stream ends without its end record")
        header = self.stream.read(struct.unpack("<Q", length)[0])
        entries = json.loads(header)
        metadata = entries.pop("__metadata__", {})
        size = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        return metadata, safetensors.numpy.load(length + header + self.stream.read(size)) if entries else {}

    def __iter__(self):
        while True:
            metadata, tensors = self.document()
            if not tensors and "end" in metadata:
                return
            yield metadata, tensors


class Writer:
    """with Writer(file, header) as writer: writer.write(tensors, metadata)"""

    def __init__(self, file, header):
        self.file, self.records = file, 0
        self.put({}, {**header, "format": "tensor-stream/1"})

    def put(self, tensors, metadata):
        if tensors:
            content = safetensors.numpy.save(tensors, metadata)
        else:
            text = json.dumps({"__metadata__": metadata}).encode()
            content = struct.pack("<Q", len(text)) + text
        self.file.write(zstandard.ZstdCompressor(level=-1, write_checksum=True, write_content_size=True).compress(content))
        self.file.flush()

    def write(self, tensors, metadata={}):
        self.put(tensors, metadata)
        self.records += 1

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        # An unfinished stream has no end record, so its reader detects that.
        if kind is None:
            self.put({}, {"end": str(self.records)})
