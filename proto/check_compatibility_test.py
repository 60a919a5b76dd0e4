"""Unit tests of check_compatibility: additions, removals and changes are told apart."""

import unittest

from google.protobuf import descriptor_pb2

import check_compatibility


def schema(**fields):
    result = descriptor_pb2.FileDescriptorSet()
    file = result.file.add(package="p")
    message = file.message_type.add(name="M")
    for name, (number, kind) in fields.items():
        message.field.add(name=name, number=number, type=kind, label=1)
    return result


class CheckCompatibilityTest(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(([], []), check_compatibility.compare(schema(a=(1, 9)), schema(a=(1, 9))))

    def test_addition_does_not_break(self):
        breaking, additions = check_compatibility.compare(
            schema(a=(1, 9)), schema(a=(1, 9), b=(2, 9)))
        self.assertEqual([], breaking)
        self.assertEqual(1, len(additions))

    def test_removal_rename_and_retype_break(self):
        for changed in (schema(), schema(b=(1, 9)), schema(a=(1, 5)), schema(a=(2, 9))):
            breaking, _ = check_compatibility.compare(schema(a=(1, 9)), changed)
            self.assertEqual(1, len(breaking))


if __name__ == "__main__":
    unittest.main()
