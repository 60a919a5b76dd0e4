"""Reads GGUF files of version 3: their metadata, and their tensors as float32.

Follows the format's specification (ggml's docs/gguf.md). Only the tensor types that the models here
come in are known: F32, Q8_0 and Q4_1. A file that claims more than it holds is refused.
"""

import struct

import numpy

_MAGIC = b"GGUF"
_VERSION = 3
# No model here comes near these; a file that claims more is broken.
_MAX_ENTRIES = 1 << 20
_MAX_DEPTH = 2

_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9

_BLOCK = 32  # values that share a scale


def _dequantize_q8_0(data):
    """A scale as float16, then 32 signed bytes."""
    blocks = data.view(numpy.dtype([("scale", "<f2"), ("values", "i1", _BLOCK)]))
    return blocks["scale"].astype(numpy.float32)[:, None] * blocks["values"].astype(numpy.float32)


def _dequantize_q4_1(data):
    """A scale and a least value as float16, then 16 bytes: values 0 to 15 in their low halves, 16 to 31 above."""
    blocks = data.view(numpy.dtype([("scale", "<f2"), ("least", "<f2"), ("nibbles", "u1", _BLOCK // 2)]))
    nibbles = numpy.concatenate([blocks["nibbles"] & 15, blocks["nibbles"] >> 4], axis=1)
    scale, least = (blocks[name].astype(numpy.float32)[:, None] for name in ("scale", "least"))
    return scale * nibbles.astype(numpy.float32) + least


# Type → its name, bytes of a block, values of a block, how to read one.
_TYPES = {
    0: ("F32", 4, 1, lambda data: data.view("<f4")),
    3: ("Q4_1", 4 + _BLOCK // 2, _BLOCK, _dequantize_q4_1),
    8: ("Q8_0", 2 + _BLOCK, _BLOCK, _dequantize_q8_0),
}


class _Cursor:
    """Takes the header apart, never reading past the file's end."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise ValueError(f"GGUF: {count} bytes expected at {self.at}, the file has {len(self.data)}")
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def scalar(self, layout):
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def count(self):
        value = self.scalar("<Q")
        if value > _MAX_ENTRIES:
            raise ValueError(f"GGUF: {value} entries, at most {_MAX_ENTRIES} are expected")
        return value

    def string(self):
        return self.take(self.scalar("<Q")).decode()

    def value(self, kind, depth=0):
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY and depth < _MAX_DEPTH:
            inner = self.scalar("<I")
            return [self.value(inner, depth + 1) for _ in range(self.count())]
        if kind not in _SCALARS:
            raise ValueError(f"GGUF: a value of type {kind} is not known")
        return self.scalar(_SCALARS[kind])


class GgufFile:
    """`metadata` is key → value. Tensors are named as the file does, shapes outermost dimension first."""

    def __init__(self, data):
        self._data = data
        cursor = _Cursor(data)
        if cursor.take(4) != _MAGIC:
            raise ValueError("GGUF: the file does not begin with GGUF")
        version = cursor.scalar("<I")
        if version != _VERSION:
            raise ValueError(f"GGUF: version {version}, supported is {_VERSION}")
        tensors, entries = cursor.count(), cursor.count()
        self.metadata = {}
        for _ in range(entries):
            key = cursor.string()
            self.metadata[key] = cursor.value(cursor.scalar("<I"))
        self._tensors = {}
        for _ in range(tensors):
            name = cursor.string()
            shape = [cursor.scalar("<Q") for _ in range(cursor.scalar("<I"))]
            self._tensors[name] = (shape[::-1], cursor.scalar("<I"), cursor.scalar("<Q"))
        alignment = self.metadata.get("general.alignment", 32)
        self._start = (cursor.at + alignment - 1) // alignment * alignment

    def names(self):
        return list(self._tensors)

    def type_name(self, name):
        kind = self._tensors[name][1]
        return _TYPES[kind][0] if kind in _TYPES else f"type {kind}"

    def tensor(self, name):
        """float32, of the tensor's shape."""
        shape, kind, offset = self._tensors[name]
        if kind not in _TYPES:
            known = ", ".join(entry[0] for entry in _TYPES.values())
            raise ValueError(f"GGUF: {name} is of type {kind}, supported are {known}")
        _, block_bytes, block_values, read = _TYPES[kind]
        values = 1
        for size in shape:
            values *= size
        if values % block_values or values <= 0:
            raise ValueError(f"GGUF: {name} has {values} values, not whole blocks of {block_values}")
        begin, size = self._start + offset, values // block_values * block_bytes
        if begin + size > len(self._data):
            raise ValueError(f"GGUF: {name} ends at {begin + size}, the file has {len(self._data)} bytes")
        raw = numpy.frombuffer(self._data, numpy.uint8, size, begin)
        return read(raw).reshape(shape).astype(numpy.float32, copy=False)
