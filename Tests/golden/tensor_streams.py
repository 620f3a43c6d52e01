"""Writes the files that TensorStreamsTests reads: as other programs write safetensors and zstd.

    python3 tensor_streams.py       (needs: torch, numpy, safetensors, zstandard)

Element i of a tensor is i - 3, taken into its type.
"""
import io, json, pathlib, struct
import numpy, safetensors.torch, torch, zstandard

here = pathlib.Path(__file__).parent


def ramp(dtype, shape):
    count = int(numpy.prod(shape))
    values = torch.arange(count) - 3
    return (values % 2 == 0 if dtype == torch.bool else values.to(dtype)).reshape(shape)


types = dict(
    f64=torch.float64, f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16, i64=torch.int64, i32=torch.int32,
    i16=torch.int16, i8=torch.int8, u64=torch.uint64, u32=torch.uint32, u16=torch.uint16, u8=torch.uint8, bool=torch.bool)
tensors = {name: ramp(dtype, (2, 5)) for name, dtype in types.items()}
tensors["layer.0.weight"] = ramp(torch.float32, (2, 3, 1, 1))
tensors["scalar"] = torch.tensor(7.5)
tensors["nothing"] = torch.zeros(0, 4)
document = safetensors.torch.save(tensors, metadata={"made by": "safetensors \"é\"\n"})
(here / "every-type.safetensors").write_bytes(document)

# What zstd makes of a pipe: no content size; and here no checksum.
piped = io.BytesIO()
with zstandard.ZstdCompressor(write_checksum=False).stream_writer(piped, closefd=False) as writer:
    writer.write(document)
(here / "every-type.safetensors.zst").write_bytes(piped.getvalue())

# A header of odd length: the format allows it, so no element is where its type wants it.
header = json.dumps({"a": dict(dtype="U8", shape=[3], data_offsets=[0, 3]), "b": dict(dtype="F32", shape=[2], data_offsets=[3, 11])})
header += " " * (1 - len(header) % 2)
unaligned = struct.pack("<Q", len(header)) + header.encode() + bytes([1, 2, 3]) + struct.pack("<2f", 0.5, -2)
(here / "unaligned.safetensors").write_bytes(unaligned)

# A stream as a short program of somebody else makes it: no index, no checksum over the records.
compressor = zstandard.ZstdCompressor(write_checksum=True)
frames = [safetensors.torch.save({}, metadata={"format": "tensor-stream/1", "provenance": "other 1.0", "samples": "10"})]
frames += [safetensors.torch.save({"features": ramp(torch.float32, (4, 2)) + step}, metadata={"step": str(step)}) for step in range(2)]
frames += [safetensors.torch.save({}, metadata={"end": "2"})]
(here / "foreign.tensors.zst").write_bytes(b"".join(map(compressor.compress, frames)))
