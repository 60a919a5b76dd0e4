"""Writes the folder of a golden of tests/golden/models/served, as its maker had it."""

import json
import math
import pathlib
import struct

GOLDEN = pathlib.Path(__file__).parent.parent / "golden"
MASK = 0xFFFFFFFF


def read(name):
    return json.loads((GOLDEN / "models" / "served" / f"{name}.json").read_text())


def hash32(seed, index):
    h = (index * 0x9E3779B1 + seed) & MASK
    h = (h ^ h >> 16) * 0x85EBCA6B & MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & MASK
    return h ^ h >> 16


def fill(name, shape, seed=0x811C9DC5):
    """The same weights as models/checkpoint/fake_checkpoint.cc makes; with another seed, others."""
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & MASK
    count = math.prod(shape)
    offset, scale = 0.0, 0.4
    if len(shape) > 1:
        gain = 1.4 if len(shape) == 4 else 1.0
        scale = 2 * gain * math.sqrt(3 / (count // shape[0]))
    elif name.endswith(("weight", "running_var")):
        offset = 1.0
    return struct.pack(f"<{count}f", *(offset + scale * (hash32(seed, i) / 2.0**32 - 0.5)
                                       for i in range(count)))


def write_safetensors(path, tensors, **seed):
    header, data = {}, bytearray()
    for name, shape in tensors:
        content = fill(name, shape, **seed)
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write(golden, folder, **seed):
    folder = pathlib.Path(folder)
    for name, content in {"config.json": golden["config"], **golden["files"]}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    write_safetensors(folder / "model.safetensors", golden["tensors"], **seed)


def pictures(golden):
    """The files of its pictures."""
    return [(GOLDEN / "media" / name).read_bytes() for name in golden["images"]]


def vector_of(result):
    """Of one result of Embed."""
    data = result.vector.data
    return struct.unpack(f"<{len(data) // 4}f", data)
