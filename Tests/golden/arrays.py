"""Writes arrays.npz, arrays-deflated.npz and arrays-expected.safetensors: arrays as NumPy saves them. pip install numpy safetensors"""
import pathlib

import numpy as np
from safetensors.numpy import save_file

here = pathlib.Path(__file__).parent
arrays = {
    "layer1.0.conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 8,
    "fortran": np.asfortranarray(np.arange(12, dtype=np.float64).reshape(3, 4)),
    "scalar": np.float32(2.5), "one": np.arange(3, dtype=np.int64), "empty": np.zeros((0, 3), np.float16),
    **{name: np.array([1, 2, 100]).astype(name) for name in ["float16", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64", "bool"]},
}
np.savez(here / "arrays.npz", **arrays)
np.savez_compressed(here / "arrays-deflated.npz", **arrays)
save_file({name: np.ascontiguousarray(array) if np.ndim(array) else np.array(array) for name, array in arrays.items()}, here / "arrays-expected.safetensors")
