#!/usr/bin/env python3
"""Makes the goldens of encoder folders as transformers itself writes and reads them.

usage: make_tower_goldens.py [NAME...]        (needs torch, transformers; all by default)

A model is saved by transformers, its tensors are replaced by made-up ones (make_goldens.fill, by
the names that the file has), and the folder is loaded again: names, config.json and loading are
those of a checkpoint of one's own.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import safetensors
import safetensors.torch
import torch
import transformers
from make_goldens import fill, hash32, rounded, write

# Of a config.json, what says nothing about the results.
SILENT = ("transformers_version", "id2label", "label2id", "stage_names", "out_features",
          "out_indices")


def rebuild(model, folder):
    """Saves, replaces the weights and loads again; returns the model, its config and tensors."""
    model.save_pretrained(folder)
    path = pathlib.Path(folder, "model.safetensors")
    tensors, made = [], {}
    with safetensors.safe_open(path, "pt") as file:
        for name in file.keys():
            tensor = file.get_tensor(name)
            if not tensor.is_floating_point():
                made[name] = tensor
                continue
            made[name] = fill(name, list(tensor.shape))
            tensors.append([name, list(tensor.shape)])
    safetensors.torch.save_file(made, path, metadata={"format": "pt"})
    config = json.loads(pathlib.Path(folder, "config.json").read_text())
    for key in SILENT:
        config.pop(key, None)
    return type(model).from_pretrained(folder).eval(), config, tensors


def images(count, side):
    """Pictures as models/vision's tests make them, normalised."""
    pixels = (hash32(7, count * side * side * 3) & 255).astype(np.float32)
    mean, std = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.5, 0.25, 0.2], np.float32)
    x = (pixels.reshape(count, side, side, 3) / 255 - mean) / std
    return {"mean": mean.tolist(), "std": std.tolist(), "height": side, "width": side}, \
        torch.from_numpy(x).permute(0, 3, 1, 2)


def ids_of(seed, length, below):
    return (hash32(seed, length) % below).astype(np.int64).tolist()


def build(model):
    with tempfile.TemporaryDirectory() as folder:
        return rebuild(model, folder)


def vision(name, model, side, embed):
    model, config, tensors = build(model)
    golden, pixels = images(3, side)
    write(name, {"config": config, **golden, "tensors": tensors,
                 "vectors": [rounded(row) for row in embed(model, pixels)]})


def text(name, model, texts, embed, **more):
    """`embed` gets one text at a time, as a list of ids."""
    model, config, tensors = build(model)
    write(name, {"config": config, "tensors": tensors, "token_ids": texts,
                 "vectors": [rounded(embed(model, ids)) for ids in texts], **more})


def both(name, model, side, texts, embed_text, **more):
    model, config, tensors = build(model)
    golden, pixels = images(3, side)
    features = model.get_image_features(pixel_values=pixels).pooler_output
    if "service_token_ids" in more:
        more["service_vectors"] = [rounded(embed_text(model, ids))
                                   for ids in more["service_token_ids"]]
    write(name, {"config": config, **golden, "tensors": tensors,
                 "image_vectors": [rounded(row) for row in features],
                 "token_ids": texts, "vectors": [rounded(embed_text(model, ids)) for ids in texts],
                 "logit_scale": float(model.logit_scale.exp()), **more})


# Small towers; heads of 16 elements, which the CPU's own kernel takes, and of 12, which it does not.
TEXT = dict(vocab_size=101, hidden_size=32, intermediate_size=56, num_hidden_layers=2,
            num_attention_heads=2)
IMAGE = dict(hidden_size=36, intermediate_size=56, num_hidden_layers=2, num_attention_heads=3,
             image_size=48, patch_size=16)


def clip():
    def embed(model, ids):
        features = model.get_text_features(input_ids=torch.tensor([ids])).pooler_output
        return features[0]

    # The end of text is id 100, once in the middle, once twice, once at the end, once nowhere.
    texts = [ids_of(3000, 5, 90) + [100], ids_of(3001, 3, 90) + [100] + ids_of(3002, 4, 90),
             [98, 100, 3, 100, 7], ids_of(3003, 77, 90), [5]]
    for name, eos, act in (("clip", 100, "quick_gelu"), ("clip_legacy", 2, "gelu")):
        both(name, transformers.CLIPModel(transformers.CLIPConfig(
            text_config=dict(TEXT, eos_token_id=eos, hidden_act=act),
            vision_config=dict(IMAGE, hidden_act=act), projection_dim=24)), 48, texts, embed,
            # What the tokenizer of tests/integration/clip_test.py makes of two words.
            service_token_ids=[[2, 0, 19, 100], [3, 14, 6, 18, 100]])
    text("clip_text", transformers.CLIPTextModelWithProjection(
        transformers.CLIPTextConfig(**TEXT, projection_dim=20, eos_token_id=100)), texts,
        lambda model, ids: model(input_ids=torch.tensor([ids])).text_embeds[0])
    vision("clip_vision", transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(**{**IMAGE, "patch_size": 10}, projection_dim=20)), 48,
        lambda model, x: model(pixel_values=x).image_embeds)


GOLDENS = [clip]


def main():
    torch.set_grad_enabled(False)
    for make in GOLDENS:
        if len(sys.argv) == 1 or make.__name__ in sys.argv[1:]:
            make()


if __name__ == "__main__":
    main()
