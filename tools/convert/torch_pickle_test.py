import collections
import io
import os
import pickle
import struct
import sys
import types
import unittest
from unittest import mock

import numpy

import torch_pickle


class FloatStorage:
    """Stands in for torch.FloatStorage, which only its name makes known to a checkpoint."""


def _rebuild_tensor_v2(*unused):
    raise AssertionError("only pickled by name, never called")


class Tensor:
    def __init__(self, key, count, offset, shape, strides):
        self.arguments = (Storage(key, count), offset, shape, strides, False,
                          collections.OrderedDict())

    def __reduce__(self):
        return _rebuild_tensor_v2, self.arguments


class Storage:
    def __init__(self, key, count):
        self.key, self.count = key, count


class Pickler(pickle.Pickler):
    def persistent_id(self, value):
        if isinstance(value, Storage):
            return ("storage", FloatStorage, value.key, "cpu", value.count, None)
        return None


def checkpoint(tensors, storages):
    """A checkpoint as old PyTorch writes it: `storages` maps keys to lists of numbers."""
    torch = types.ModuleType("torch")
    torch._utils = types.ModuleType("torch._utils")
    torch.FloatStorage, torch._utils._rebuild_tensor_v2 = FloatStorage, _rebuild_tensor_v2
    with mock.patch.dict(sys.modules, {"torch": torch, "torch._utils": torch._utils}), \
            mock.patch.object(FloatStorage, "__module__", "torch"), \
            mock.patch.object(_rebuild_tensor_v2, "__module__", "torch._utils"):
        file = io.BytesIO()
        for header in (torch_pickle._MAGIC, torch_pickle._PROTOCOL, {"little_endian": True}):
            pickle.dump(header, file, 2)
        Pickler(file, 2).dump(collections.OrderedDict(tensors))
        pickle.dump(list(storages), file, 2)
        for numbers in storages.values():
            file.write(struct.pack(f"<q{len(numbers)}f", len(numbers), *numbers))
    return file.getvalue()


class TorchPickleTest(unittest.TestCase):
    def load(self, data):
        return torch_pickle.load_state_dict(io.BytesIO(data))

    def test_reads_views_into_one_storage(self):
        state = self.load(checkpoint(
            {"row": Tensor("a", 6, 3, (3,), (1,)), "transposed": Tensor("a", 6, 0, (3, 2), (1, 3)),
             "scalar": Tensor("b", 1, 0, (), ())},
            {"a": [0, 1, 2, 3, 4, 5], "b": [7]}))
        numpy.testing.assert_array_equal(state["row"], [3, 4, 5])
        numpy.testing.assert_array_equal(state["transposed"], [[0, 3], [1, 4], [2, 5]])
        self.assertEqual(state["scalar"], 7)
        self.assertEqual(state["row"].dtype, numpy.float32)

    def test_refuses_to_name_a_function(self):
        class Attack:
            def __reduce__(self):
                return os.system, ("exit 1",)

        with mock.patch("os.system") as system:
            data = pickle.dumps(torch_pickle._MAGIC, 2) + pickle.dumps(torch_pickle._PROTOCOL, 2)
        for attack in (pickle.dumps(Attack(), 2), pickle.dumps(eval, 2)):
            with self.subTest(attack), self.assertRaisesRegex(pickle.UnpicklingError, "refused"):
                self.load(data + attack)
        system.assert_not_called()

    def test_refuses_a_tensor_that_reaches_past_its_storage(self):
        for tensor in (Tensor("a", 4, 1, (4,), (1,)), Tensor("a", 4, 0, (2, 2), (3, 1)),
                       Tensor("a", 4, -1, (2,), (1,)), Tensor("a", 4, 0, (2,), (-1,))):
            with self.subTest(tensor.arguments), self.assertRaises(pickle.UnpicklingError):
                self.load(checkpoint({"t": tensor}, {"a": [1, 2, 3, 4]}))

    def test_refuses_a_storage_that_is_cut_short(self):
        data = checkpoint({"t": Tensor("a", 2, 0, (2,), (1,))}, {"a": [1, 2]})
        with self.assertRaisesRegex(pickle.UnpicklingError, "cut short"):
            self.load(data[:-1])

    def test_refuses_another_file(self):
        with self.assertRaises(pickle.UnpicklingError):
            self.load(pickle.dumps(5))


if __name__ == "__main__":
    unittest.main()
