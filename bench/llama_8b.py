"""What Llama 3.1 8B's shape makes a GPU read and compute, in bfloat16, and how fast a GPU can do that at best."""

import dataclasses

LAYERS, HIDDEN, INNER, VOCABULARY = 32, 4096, 14336, 128256
QKV, ATTENTION = 6144, 4096
# Of all layers' products, and of the head.
LAYER_WEIGHTS = LAYERS * (HIDDEN * QKV + HIDDEN * ATTENTION + 3 * HIDDEN * INNER)
HEAD_WEIGHTS = VOCABULARY * HIDDEN
WEIGHT_BYTES = 2 * (LAYER_WEIGHTS + HEAD_WEIGHTS)
# Keys and values of one token in all layers: 8 heads of 128.
KV_BYTES = LAYERS * 2 * 8 * 128 * 2


@dataclasses.dataclass
class Gpu:
    """What was measured on a card: reading memory, and products of large random bfloat16 matrices."""

    bytes_per_s: float
    operations_per_s: float


GPUS = {"NVIDIA H200": Gpu(4.385e12, 790e12)}


@dataclasses.dataclass
class Work:
    """What a figure makes the GPU do at least."""

    weight_bytes: float
    kv_bytes: float
    operations: float

    def seconds(self, gpu):
        """Products read weights while they compute; attention reads keys and values at another time."""
        return (max(self.weight_bytes / gpu.bytes_per_s, self.operations / gpu.operations_per_s)
                + self.kv_bytes / gpu.bytes_per_s)

    def bound(self, gpu):
        """The resource that takes longest."""
        times = {"reading weights": self.weight_bytes / gpu.bytes_per_s, "arithmetic":
                 self.operations / gpu.operations_per_s, "reading keys and values": self.kv_bytes / gpu.bytes_per_s}
        if times["reading weights"] < times["arithmetic"]:
            del times["reading weights"]
        return max(times, key=times.get)


def prefill_operations(count, length):
    """Of `count` prompts: products, the causal half of attention, and the head of the last token."""
    return count * (2 * length * LAYER_WEIGHTS + 2 * HEAD_WEIGHTS + LAYERS * 4 * length * length * ATTENTION / 2)


def prefill(count, length):
    return Work(WEIGHT_BYTES, 0, prefill_operations(count, length))


def decode(batch, context):
    """One step of `batch` sequences that have `context` tokens each."""
    return Work(WEIGHT_BYTES, batch * context * KV_BYTES, 2 * batch * (LAYER_WEIGHTS + HEAD_WEIGHTS))


def prefill_beside(length, running, context):
    """One step that has both: a prompt of `length` tokens and `running` sequences."""
    return Work(WEIGHT_BYTES, running * context * KV_BYTES,
                prefill_operations(1, length) + 2 * running * (LAYER_WEIGHTS + HEAD_WEIGHTS))


def serve_seconds(gpu, count, prompt, tokens):
    """At least, for `count` prompts that begin together: all are prefilled, then all make `tokens` in step."""
    return (prefill(count, prompt).seconds(gpu)
            + sum(decode(count, prompt + made).seconds(gpu) for made in range(1, tokens)))
