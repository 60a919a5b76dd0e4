"""Reads tensors out of a PyTorch checkpoint of the old (pre-1.6, not zipped) format, without PyTorch.

A checkpoint is a pickle, and a pickle may name any function for the reader to call. This reader
resolves the four names that a state dict of plain tensors needs and refuses every other one.
"""

import collections
import pickle
import struct

import numpy

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGES = {"FloatStorage": numpy.dtype("<f4"), "LongStorage": numpy.dtype("<i8")}
# No picture model in this format comes near it; a header that claims more is broken.
_MAX_ELEMENTS = 1 << 30


class _Tensor:
    """What a checkpoint says of a tensor before its numbers have been read."""

    def __init__(self, storage_key, offset, shape, strides):
        self.storage_key = storage_key
        self.offset = offset
        self.shape = tuple(shape)
        self.strides = tuple(strides)


def _rebuild_tensor(storage_key, offset, shape, strides, *unused_gradient_flags):
    return _Tensor(storage_key, offset, shape, strides)


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickles state dicts only. Anything else raises pickle.UnpicklingError."""

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}  # key → (dtype, element count)

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"refused: the checkpoint asks for {module}.{name}")

    def persistent_load(self, saved_id):
        kind, dtype, key, _location, count, view = saved_id
        if kind != "storage" or view is not None or not 0 <= count <= _MAX_ELEMENTS:
            raise pickle.UnpicklingError(f"refused: unexpected storage {saved_id!r}")
        self.storages[key] = (dtype, count)
        return key


def load_state_dict(file):
    """Reads a checkpoint from an open binary file → {name: array} in the checkpoint's order.

    Raises pickle.UnpicklingError when it is anything but a plain state dict.
    """
    if RestrictedUnpickler(file).load() != _MAGIC or RestrictedUnpickler(file).load() != _PROTOCOL:
        raise pickle.UnpicklingError(f"this is no PyTorch checkpoint of protocol {_PROTOCOL}")
    if not RestrictedUnpickler(file).load()["little_endian"]:
        raise pickle.UnpicklingError("the checkpoint was written on a big-endian machine")
    unpickler = RestrictedUnpickler(file)
    tensors = unpickler.load()
    keys = RestrictedUnpickler(file).load()
    data = {key: _read_storage(file, *unpickler.storages[key]) for key in keys}
    return {name: _view(data[tensor.storage_key], tensor) for name, tensor in tensors.items()}


def _read_storage(file, dtype, count):
    (stored,) = struct.unpack("<q", file.read(8))
    raw = file.read(count * dtype.itemsize)
    if stored != count or len(raw) != count * dtype.itemsize:
        raise pickle.UnpicklingError(f"a storage of {count} elements holds {stored}, or is cut short")
    return numpy.frombuffer(raw, dtype)


def _view(storage, tensor):
    if tensor.offset < 0 or any(n < 0 for n in tensor.shape + tensor.strides):
        raise pickle.UnpicklingError("a tensor has a negative offset, size or stride")
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides))
    if 0 not in tensor.shape and last >= storage.size:
        raise pickle.UnpicklingError(f"a tensor of shape {tensor.shape} reaches past its storage")
    strides = [s * storage.itemsize for s in tensor.strides]
    view = numpy.lib.stride_tricks.as_strided(storage[tensor.offset:], tensor.shape, strides)
    return numpy.ascontiguousarray(view)
