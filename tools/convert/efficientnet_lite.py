"""EfficientNet-Lite0: the tensor names of timm, and a plain numpy forward pass as a reference.

The network is Tan and Le 2019 without squeeze-and-excitation and with ReLU6, as TensorFlow's
EfficientNet-Lite release defines it; names and layout are those of timm's tf_efficientnet_lite0.
"""

import re

import numpy

# (repeats, kernel, stride of the first) of each of the seven stages.
STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))
BATCH_NORM_EPSILON = 1e-3

_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
        "_fc": "classifier"}
# The first block expands nothing, and timm numbers what is left from one again.
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHER = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
          "_project_conv": "conv_pwl", "_bn2": "bn3"}


def block_names():
    """timm's names of the blocks in order: blocks.0.0, blocks.1.0, blocks.1.1, …"""
    return [f"blocks.{stage}.{i}" for stage, (repeats, _, _) in enumerate(STAGES)
            for i in range(repeats)]


def to_timm(state):
    """Renames the tensors of efficientnet_lite_pytorch to timm's names.

    Raises ValueError for a tensor that has no place in EfficientNet-Lite0.
    """
    blocks = block_names()
    renamed = {}
    for name, tensor in state.items():
        if name.endswith(".num_batches_tracked"):
            continue  # used in training only
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if match and int(match[1]) < len(blocks):
            index, module, leaf = int(match[1]), match[2], match[3]
            prefix, table = blocks[index] + ".", _OTHER if index else _FIRST
        else:
            module, _, leaf = name.partition(".")
            prefix, table = "", _TOP
        if module not in table:
            raise ValueError(f"tensor {name} is not part of EfficientNet-Lite0")
        renamed[f"{prefix}{table[module]}.{leaf}"] = tensor
    return renamed


def same_padding(size, kernel, stride):
    """TensorFlow's SAME rule → (before, after); an odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _windows(x, kernel, stride):
    """Yields (i, j, x as kernel tap (i, j) sees it); x is [batch, height, width, channels]."""
    rows, columns = (same_padding(n, kernel, stride) for n in x.shape[1:3])
    height, width = (-(-n // stride) for n in x.shape[1:3])
    padded = numpy.pad(x, ((0, 0), rows, columns, (0, 0)))
    for i in range(kernel):
        for j in range(kernel):
            yield i, j, padded[:, i:i + (height - 1) * stride + 1:stride,
                               j:j + (width - 1) * stride + 1:stride]


def convolve(x, weight, stride):
    """Full convolution; weight is [out, in, kernel, kernel]."""
    total = None
    for i, j, view in _windows(x, weight.shape[2], stride):
        # Flat, because numpy multiplies a stack of small matrices one by one.
        term = view.reshape(-1, view.shape[3]) @ weight[:, :, i, j].T
        total = term if total is None else numpy.add(total, term, out=total)
    return total.reshape(*view.shape[:3], -1)


def convolve_depthwise(x, weight, stride):
    """One filter a channel; weight is [channels, 1, kernel, kernel]."""
    total = None
    for i, j, view in _windows(x, weight.shape[2], stride):
        term = view * weight[:, 0, i, j]
        total = term if total is None else numpy.add(total, term, out=total)
    return total


def relu6(x):
    return numpy.clip(x, 0, 6)


class EfficientNetLite0:
    """Pixels → logits, from tensors by timm's names."""

    def __init__(self, weights):
        self.weights = weights

    def logits(self, pixels):
        """[batch, 3, 224, 224], normalised → [batch, classes]."""
        x = numpy.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        x = relu6(self._norm(convolve(x, self.weights["conv_stem.weight"], 2), "bn1"))
        for stage, (repeats, _, first_stride) in enumerate(STAGES):
            for i in range(repeats):
                x = self._block(x, f"blocks.{stage}.{i}", 1 if i else first_stride, stage > 0)
        x = relu6(self._norm(convolve(x, self.weights["conv_head.weight"], 1), "bn2"))
        pooled = x.mean((1, 2))
        return pooled @ self.weights["classifier.weight"].T + self.weights["classifier.bias"]

    def _block(self, x, name, stride, expands):
        def weight(module):
            return self.weights[f"{name}.{module}.weight"]

        skip = x
        norm = 1
        if expands:
            x = relu6(self._norm(convolve(x, weight("conv_pw"), 1), f"{name}.bn1"))
            norm = 2
        x = relu6(self._norm(convolve_depthwise(x, weight("conv_dw"), stride), f"{name}.bn{norm}"))
        x = convolve(x, weight("conv_pwl" if expands else "conv_pw"), 1)
        x = self._norm(x, f"{name}.bn{norm + 1}")
        return x + skip if x.shape == skip.shape else x

    def _norm(self, x, name):
        """Batch normalisation by the running statistics."""
        w = self.weights
        scale = w[f"{name}.weight"] / numpy.sqrt(
            w[f"{name}.running_var"] + numpy.float32(BATCH_NORM_EPSILON))
        return x * scale + (w[f"{name}.bias"] - w[f"{name}.running_mean"] * scale)
