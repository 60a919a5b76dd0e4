#!/usr/bin/env python3
"""Makes the goldens beside it: what transformers and timm compute with made-up weights.

usage: make_goldens.py        (needs torch, transformers, timm)

No weights are stored. Both sides make them from the tensor's name and a hash of the element's
index (see fill() here and models/checkpoint/fake_checkpoint.cc), so that whole architectures are
tested by files of a few kilobytes.
"""

import json
import pathlib

import numpy as np
import timm
import torch
import transformers

HERE = pathlib.Path(__file__).parent


def hash32(seed, count):
    """The finaliser of MurmurHash3 over seed + index."""
    h = np.arange(count, dtype=np.uint64) * 0x9E3779B1 + seed
    h = (h & 0xFFFFFFFF).astype(np.uint32)
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x85EBCA6B)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE35)
    h ^= h >> np.uint32(16)
    return h


def fnv1a(text):
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def fill(name, shape):
    """Weights that keep activations near unit size through any depth."""
    count = int(np.prod(shape))
    u = hash32(fnv1a(name), count) / 2.0**32 - 0.5
    if len(shape) > 1:
        fan_in = count // shape[0]
        gain = 1.4 if len(shape) == 4 else 1.0
        value = u * (2 * gain * np.sqrt(3 / fan_in))
    elif name.endswith("running_var") or name.endswith("weight"):
        value = 1 + 0.4 * u
    else:
        value = 0.4 * u
    return torch.from_numpy(value.astype(np.float32)).view(shape)


def load(model, rename=lambda name: name):
    """Fills a model's tensors; returns their names and shapes as the checkpoint has them."""
    tensors = []
    state = model.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            stored = rename(name)
            state[name] = fill(stored, list(tensor.shape))
            tensors.append([stored, list(tensor.shape)])
    model.load_state_dict(state)
    return tensors


def rounded(tensor):
    return [float(f"{x:.7g}") for x in tensor.flatten().tolist()]


def write(name, golden):
    path = HERE / f"{name}.json"
    lines = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in golden.items())
    path.write_text("{\n" + lines + "\n}\n")
    print(path.name, path.stat().st_size)


def text(name, pooling, normalize, prefix, lengths, **config):
    config = transformers.BertConfig(vocab_size=101, max_position_embeddings=64, **config)
    model = transformers.BertModel(config, add_pooling_layer=False).eval()
    tensors = load(model, lambda n: prefix + n)
    token_ids, vectors = [], []
    for i, length in enumerate(lengths):
        ids = (hash32(1000 + i, length) % 101).astype(np.int64)
        hidden = model(torch.from_numpy(ids)[None]).last_hidden_state[0]
        pooled = hidden[0] if pooling == "cls_token" else hidden.mean(0)
        if normalize:
            pooled = torch.nn.functional.normalize(pooled, dim=0)
        token_ids.append(ids.tolist())
        vectors.append(rounded(pooled))
    keys = ("model_type vocab_size hidden_size num_hidden_layers num_attention_heads "
            "intermediate_size max_position_embeddings type_vocab_size layer_norm_eps hidden_act")
    write(name, {
        "config": {key: getattr(config, key) for key in keys.split()},
        "pooling": pooling, "normalize": normalize, "tensors": tensors,
        "token_ids": token_ids, "vectors": vectors})


def image(name, architecture, classes, height, width, features):
    model = timm.create_model(architecture, num_classes=classes).eval()
    tensors = load(model)
    pixels = (hash32(7, 2 * height * width * 3) & 255).astype(np.float32)
    mean, std = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.5, 0.25, 0.2], np.float32)
    x = (pixels.reshape(2, height, width, 3) / 255 - mean) / std
    pooled = model.forward_head(
        model.forward_features(torch.from_numpy(x).permute(0, 3, 1, 2)), pre_logits=True)
    golden = {
        "config": {"architecture": architecture, "num_classes": classes},
        "mean": mean.tolist(), "std": std.tolist(), "height": height, "width": width,
        "tensors": tensors, "features": [rounded(row[:features]) for row in pooled]}
    # The convex combination over made-up class vectors.
    top_k, temperature = 3, 0.7
    vectors = fill("class_vectors", [classes, 16])
    top = (model.classifier(pooled) / temperature).softmax(1).topk(top_k)
    weights = top.values / top.values.sum(1, keepdim=True)
    golden.update(top_k=top_k, temperature=temperature,
                  mixtures=[rounded(w @ vectors[i]) for w, i in zip(weights, top.indices)])
    write(name, golden)


def main():
    torch.set_grad_enabled(False)
    text("bert_mean", "mean_tokens", True, "", [1, 7, 16, 33, 64], hidden_size=64,
         num_hidden_layers=3, num_attention_heads=4, intermediate_size=128)
    # A head size that the kernel does not take, and what else the configuration can vary.
    text("bert_cls", "cls_token", False, "bert.", [2, 5, 40], hidden_size=36,
         num_hidden_layers=2, num_attention_heads=3, intermediate_size=50, type_vocab_size=1,
         layer_norm_eps=1e-5, hidden_act="gelu_new")
    image("tf_efficientnet_lite0", "tf_efficientnet_lite0", 40, 64, 64, 1280)
    # Odd sides, where the two kinds of padding differ, and the scaled variants.
    image("efficientnet_lite0", "efficientnet_lite0", 40, 75, 90, 64)
    for variant in range(1, 5):
        image(f"tf_efficientnet_lite{variant}", f"tf_efficientnet_lite{variant}", 10, 61, 64, 64)


if __name__ == "__main__":
    main()
