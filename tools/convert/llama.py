"""A plain numpy Llama: the reference that the decoder's golden tokens and logits come from.

It shares no code with the C++ model, so that an error in one does not hide in the other. Follows
Touvron et al. 2023 as Hugging Face's LlamaForCausalLM lays out its tensors, without a cache: each
token is computed from the whole prefix.
"""

import json
import pathlib
import struct

import numpy


def read_safetensors(path):
    """Name → float32 array. bfloat16, which numpy does not know, is widened."""
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        if entry["dtype"] == "BF16":
            values = (numpy.frombuffer(data[begin:end], "<u2").astype(numpy.uint32) << 16).view(numpy.float32)
        elif entry["dtype"] == "F32":
            values = numpy.frombuffer(data[begin:end], "<f4")
        else:
            raise ValueError(f"{path}: {name} is {entry['dtype']}, supported are BF16 and F32")
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def rms_norm(x, weight, epsilon):
    return x / numpy.sqrt((x * x).mean(-1, keepdims=True) + numpy.float32(epsilon)) * weight


def silu(x):
    return x / (1 + numpy.exp(-x))


def softmax(x):
    e = numpy.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rotate(x, theta):
    """x [heads, tokens, size]: element i and its counterpart in the upper half turn by position · theta^(-2i/size)."""
    half = x.shape[-1] // 2
    frequencies = theta ** (-numpy.arange(half) / half)
    angles = numpy.outer(numpy.arange(x.shape[1]), frequencies)
    cos, sin = (f(angles).astype(numpy.float32) for f in (numpy.cos, numpy.sin))
    low, high = x[..., :half], x[..., half:]
    return numpy.concatenate([low * cos - high * sin, high * cos + low * sin], -1)


class CausalLm:
    """Token ids → logits, from a folder with config.json and model.safetensors."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        if self.config["hidden_act"] != "silu" or self.config.get("rope_scaling"):
            raise ValueError(f"{folder}: only Llama with silu and plain rotary positions is supported")
        self.weights = read_safetensors(folder / "model.safetensors")

    def logits(self, ids):
        """[tokens] → [vocabulary]: of the token that follows the last."""
        x = self.weights["model.embed_tokens.weight"][ids]
        for layer in range(self.config["num_hidden_layers"]):
            x = self._layer(x, f"model.layers.{layer}")
        last = rms_norm(x[-1], self.weights["model.norm.weight"], self.config["rms_norm_eps"])
        head = "model.embed_tokens.weight" if self.config["tie_word_embeddings"] else "lm_head.weight"
        return self.weights[head] @ last

    def greedy(self, ids, count):
        """The `count` tokens that follow, and how far each was ahead of the second best."""
        ids = list(ids)
        margins = []
        for _ in range(count):
            logits = self.logits(ids)
            second, best = numpy.argpartition(logits, -2)[-2:]
            margins.append(float(logits[best] - logits[second]))
            ids.append(int(best))
        return ids[-count:], margins

    def _layer(self, x, name):
        epsilon = self.config["rms_norm_eps"]
        normed = rms_norm(x, self.weights[f"{name}.input_layernorm.weight"], epsilon)
        x = x + self._attention(normed, f"{name}.self_attn")
        normed = rms_norm(x, self.weights[f"{name}.post_attention_layernorm.weight"], epsilon)
        inner = silu(self._linear(normed, f"{name}.mlp.gate_proj")) * self._linear(normed, f"{name}.mlp.up_proj")
        return x + self._linear(inner, f"{name}.mlp.down_proj")

    def _attention(self, x, name):
        heads, kv_heads = self.config["num_attention_heads"], self.config["num_key_value_heads"]

        def split(part, count):  # → [heads, tokens, size]
            projected = self._linear(x, f"{name}.{part}_proj")
            return projected.reshape(len(x), count, -1).transpose(1, 0, 2)

        theta = self.config["rope_theta"]
        q, k, v = rotate(split("q", heads), theta), rotate(split("k", kv_heads), theta), split("v", kv_heads)
        k, v = (numpy.repeat(part, heads // kv_heads, axis=0) for part in (k, v))
        scores = q @ k.transpose(0, 2, 1) / numpy.float32(q.shape[-1] ** 0.5)
        scores[:, numpy.triu(numpy.ones((len(x), len(x)), bool), 1)] = -numpy.inf
        attended = (softmax(scores) @ v).transpose(1, 0, 2).reshape(len(x), -1)
        return self._linear(attended, f"{name}.o_proj")

    def _linear(self, x, name):
        return x @ self.weights[f"{name}.weight"].T
