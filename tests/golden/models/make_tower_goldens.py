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
import tokenizers
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
            vision_config=dict(IMAGE, hidden_act=act), projection_dim=24)), 48, texts, embed)
    text("clip_text", transformers.CLIPTextModelWithProjection(
        transformers.CLIPTextConfig(**TEXT, projection_dim=20, eos_token_id=100)), texts,
        lambda model, ids: model(input_ids=torch.tensor([ids])).text_embeds[0])
    vision("clip_vision", transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(**{**IMAGE, "patch_size": 10}, projection_dim=20)), 48,
        lambda model, x: model(pixel_values=x).image_embeds)


def siglip():
    pad, length = 1, 16
    tokenizer = {"tokenizer_config.json": {
        "model_input_names": ["input_ids"], "model_max_length": length, "pad_token": "</s>",
        "added_tokens_decoder": {"1": {"content": "</s>", "special": True}}}}

    def padded(ids):
        return torch.tensor([ids + [pad] * (length - len(ids))])

    def embed(model, ids):
        return model.get_text_features(input_ids=padded(ids)).pooler_output[0]

    texts = [ids_of(3100, 5, 101) + [1], [1], ids_of(3101, 15, 101) + [1], ids_of(3102, 16, 101)]
    config = transformers.SiglipConfig(
        text_config=dict(TEXT, hidden_size=36, num_attention_heads=3, max_position_embeddings=length),
        vision_config=IMAGE)
    both("siglip", transformers.SiglipModel(config), 48, texts, embed, files=tokenizer)
    # More positions than the tokenizer pads to, and another size of what comes out.
    text("siglip_text", transformers.SiglipTextModel(transformers.SiglipTextConfig(
        **TEXT, max_position_embeddings=20, projection_size=20)), texts,
        lambda model, ids: model(input_ids=padded(ids)).pooler_output[0], files=tokenizer)
    vision("siglip_vision", transformers.SiglipVisionModel(transformers.SiglipVisionConfig(
        **{**IMAGE, "hidden_size": 32, "num_attention_heads": 2, "patch_size": 12})), 48,
        lambda model, x: model(pixel_values=x).pooler_output)


def of_class_token(model, x):
    body = getattr(model, model.base_model_prefix, model)
    return body(pixel_values=x).last_hidden_state[:, 0]


def vit():
    vision("vit", transformers.ViTModel(transformers.ViTConfig(**IMAGE)), 48, of_class_token)
    vision("vit_head", transformers.ViTForImageClassification(transformers.ViTConfig(
        **{**IMAGE, "hidden_size": 32, "num_attention_heads": 2}, qkv_bias=False,
        layer_norm_eps=1e-6, hidden_act="gelu_new")), 48, of_class_token)


def dinov2():
    small = {key: IMAGE[key] for key in IMAGE if key != "intermediate_size"}
    # Positions of 4 × 4 patches, brought to the 3 × 3 of smaller pictures.
    vision("dinov2", transformers.Dinov2Model(transformers.Dinov2Config(
        **{**small, "image_size": 70, "patch_size": 16}, mlp_ratio=2)), 48, of_class_token)
    # To 6 × 6 with a rest, with SwiGLU, below a head.
    vision("dinov2_giant", transformers.Dinov2ForImageClassification(transformers.Dinov2Config(
        **{**small, "hidden_size": 32, "num_attention_heads": 2, "image_size": 32, "patch_size": 8},
        mlp_ratio=2, use_swiglu_ffn=True, qkv_bias=False)), 50, of_class_token)
    vision("dinov2_native", transformers.Dinov2Model(transformers.Dinov2Config(
        **{**small, "patch_size": 12}, use_mask_token=False)), 48, of_class_token)


def resnet():
    def pooled(model, x):
        body = getattr(model, model.base_model_prefix, model)
        return body(pixel_values=x).pooler_output.flatten(1)

    small = dict(embedding_size=8, hidden_sizes=[16, 32], depths=[1, 2])
    vision("resnet", transformers.ResNetModel(transformers.ResNetConfig(**small)), 50, pooled)
    vision("resnet_head", transformers.ResNetForImageClassification(transformers.ResNetConfig(
        **small, downsample_in_first_stage=True, downsample_in_bottleneck=True, num_labels=5)), 64,
        pooled)
    vision("resnet_basic", transformers.ResNetModel(transformers.ResNetConfig(
        **small, layer_type="basic")), 64, pooled)


def modules(mode, normalize):
    """A sentence-transformers folder around an encoder."""
    kinds = ["Transformer", "Pooling"] + ["Normalize"] * normalize
    paths = ["", "1_Pooling", "2_Normalize"]
    return {"modules.json": [{"idx": i, "name": str(i), "path": path,
                              "type": f"sentence_transformers.models.{kind}"}
                             for i, (kind, path) in enumerate(zip(kinds, paths))],
            "1_Pooling/config.json": {f"pooling_mode_{mode}": True}}


def qwen3():
    def embed(model, ids):
        return torch.nn.functional.normalize(
            model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1], dim=0)

    texts = [ids_of(3200, length, 101) for length in (1, 7, 16, 33)]
    sizes = dict(TEXT, head_dim=32, num_attention_heads=4, num_key_value_heads=2,
                 max_position_embeddings=64, rope_theta=1e6)
    text("qwen3", transformers.Qwen3Model(transformers.Qwen3Config(**sizes)), texts, embed,
         files=modules("lasttoken", True))
    # All of a language model, of which the head is not used; biases; one head of keys for all.
    text("qwen3_lm", transformers.Qwen3ForCausalLM(transformers.Qwen3Config(
        **{**sizes, "num_key_value_heads": 1, "head_dim": 16, "num_attention_heads": 2},
        attention_bias=True, tie_word_embeddings=True)), texts,
        lambda model, ids: embed(model.model, ids), files=modules("lasttoken", True))


def qwen3_bidirectional():
    """Tokens see those behind them too; linear angles."""
    def embed(model, ids):
        return model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)

    model = transformers.Qwen3Model(transformers.Qwen3Config(
        **TEXT, head_dim=32, num_key_value_heads=2, max_position_embeddings=64, is_causal=False,
        rope_parameters={"rope_type": "linear", "factor": 3.0, "rope_theta": 1e4}))
    text("qwen3_bidirectional", model, [ids_of(3300, length, 101) for length in (1, 7, 16, 33)],
         embed, files=modules("mean_tokens", False))


def bge():
    """CLS, normalised, with a prompt that the library puts before a query."""
    words = "[PAD] [UNK] [CLS] [SEP] represent this sentence for searching : query a cat the ##s".split()
    special = [{"id": i, "content": words[i], "single_word": False, "lstrip": False,
                "rstrip": False, "normalized": False, "special": True} for i in range(4)]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [words.index(name)], "tokens": [name]}
                               for name in ("[CLS]", "[SEP]")}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {word: i for i, word in enumerate(words)}}}
    prompt = "Represent this sentence for searching: "
    queries = ["a cat", "the cats", "zebra"]
    library = tokenizers.Tokenizer.from_str(json.dumps(tokenizer))
    ids = [library.encode(p + query).ids for p in ("", prompt) for query in queries]
    text("bge", transformers.BertModel(transformers.BertConfig(
        **TEXT, max_position_embeddings=32)), ids,
        lambda model, one: torch.nn.functional.normalize(
            model(input_ids=torch.tensor([one])).last_hidden_state[0, 0], dim=0),
        files={**modules("cls_token", True), "tokenizer.json": tokenizer,
               "config_sentence_transformers.json": {"prompts": {"query": prompt},
                                                     "default_prompt_name": None}},
        queries=queries)


GOLDENS = [clip, siglip, vit, dinov2, resnet, qwen3, qwen3_bidirectional, bge]


def main():
    torch.set_grad_enabled(False)
    for make in GOLDENS:
        if len(sys.argv) == 1 or make.__name__ in sys.argv[1:]:
            make()


if __name__ == "__main__":
    main()
