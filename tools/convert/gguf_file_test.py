import struct
import unittest

import numpy

from gguf_file import GgufFile


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def make(tensors, metadata=b"", entries=0, version=3):
    """tensors: name → (shape outermost first, type, bytes)."""
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), entries) + metadata
    offset, body = 0, b""
    for name, (shape, kind, data) in tensors.items():
        header += string(name) + struct.pack("<I", len(shape))
        header += b"".join(struct.pack("<Q", size) for size in reversed(shape))
        header += struct.pack("<IQ", kind, offset)
        padded = data + b"\0" * (-len(data) % 32)
        body += padded
        offset += len(padded)
    return header + b"\0" * (-len(header) % 32) + body


class GgufFileTest(unittest.TestCase):
    def test_metadata(self):
        metadata = (string("a") + struct.pack("<II", 4, 7)
                    + string("b") + struct.pack("<I", 8) + string("Ġthe")
                    + string("c") + struct.pack("<IIQ", 9, 8, 2) + string("x") + string("yz")
                    + string("d") + struct.pack("<I?", 7, True))
        self.assertEqual(GgufFile(make({}, metadata, 4)).metadata, {"a": 7, "b": "Ġthe", "c": ["x", "yz"], "d": True})

    def test_tensors(self):
        plain = numpy.arange(6, dtype="<f4")
        q8 = struct.pack("<e", 0.5) + bytes(numpy.arange(-16, 16, dtype=numpy.int8).view(numpy.uint8))
        # Value i of a block is i mod 16: low half of byte i up to 15, high half of byte i - 16 behind.
        q4 = struct.pack("<ee", 2.0, -1.0) + bytes(i | i << 4 for i in range(16))
        file = GgufFile(make({"plain": ([2, 3], 0, plain.tobytes()), "q8": ([1, 32], 8, q8), "q4": ([2, 32], 3, q4 + q4)}))
        self.assertEqual(file.names(), ["plain", "q8", "q4"])
        self.assertEqual(file.type_name("q4"), "Q4_1")
        numpy.testing.assert_array_equal(file.tensor("plain"), plain.reshape(2, 3))
        numpy.testing.assert_array_equal(file.tensor("q8"), [numpy.arange(-16, 16) * 0.5])
        numpy.testing.assert_array_equal(file.tensor("q4"), [[2.0 * (i % 16) - 1 for i in range(32)]] * 2)

    def test_refuses_what_is_broken_or_unknown(self):
        whole = make({"t": ([4], 0, bytes(16))}, string("a") + struct.pack("<II", 4, 7), 1)
        for end in range(len(whole) - 16):  # The tensor is followed by as much padding.
            with self.assertRaises(ValueError):
                GgufFile(whole[:end]).tensor("t")
        for data, message in ((b"ABCD" + whole[4:], "GGUF"), (make({}, version=2), "version 2"),
                              (make({}, string("a") + struct.pack("<I", 99), 1), "type 99"),
                              (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 40), "entries")):
            with self.assertRaisesRegex(ValueError, message):
                GgufFile(data)
        with self.assertRaisesRegex(ValueError, "type 12, supported are F32, Q4_1, Q8_0"):
            GgufFile(make({"t": ([32], 12, bytes(32))})).tensor("t")
        with self.assertRaisesRegex(ValueError, "whole blocks"):
            GgufFile(make({"t": ([33], 8, bytes(64))})).tensor("t")


if __name__ == "__main__":
    unittest.main()
