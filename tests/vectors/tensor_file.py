"""Writes tensors as a .safetensors file with nothing but NumPy."""

import json
import struct

import numpy as np

NAMES = {"float32": "F32", "float64": "F64", "int64": "I64"}


def write(path, tensors):
    """`tensors`: name to NumPy array."""
    header, blobs, offset = {}, [], 0
    for name, values in tensors.items():
        array = np.ascontiguousarray(values)
        header[name] = {
            "dtype": NAMES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
        blobs.append(array.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for blob in blobs:
            file.write(blob)
