"""A tensor stream in Python: prints its records, and returns failure when the stream is cut.

    python3 read_stream.py train.tensors.zst        (needs: pip install zstandard safetensors numpy)
"""
import json, sys
import safetensors.numpy, zstandard


def records(file):
    """Yields (metadata, tensors by name) of the header, which has no tensors, and of every record."""
    stream = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    while length := stream.read(8):
        header = stream.read(int.from_bytes(length, "little"))
        entries = json.loads(header)
        metadata = entries.pop("__metadata__", {})
        if "end" in metadata: return
        size = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        yield metadata, safetensors.numpy.load(length + header + stream.read(size))
    raise EOFError("the stream ends without its end record")


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        for metadata, tensors in records(file):
            print(metadata, *(f"{name} {array.dtype}{list(array.shape)}" for name, array in sorted(tensors.items())))
