"""Makes a model of a family in its published shape, with random weights, and inputs for it.

    make_family.py NAME --bundle FOLDER --out FOLDER

Writes OUT/inputs.json as make_inputs.py does, with cases text.b1, text.b8, image.b1, image.b8 of what the family
takes; the pictures are the bundle's. Prints the model's folder, which is kept in TERMINUS_HOME/bench/families.
"""

import argparse
import glob
import hashlib
import json
import os
import random
import shutil

import torch
import transformers

import environment
import make_inputs

# A text's tokens, special ones included.
LEAST, MOST = 8, 32
SQUARE = {"size": {"height": 224, "width": 224}, "do_center_crop": False, "do_normalize": True,
          "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
# For loading alone: the inputs are token ids.
TOKENIZER = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "BertPreTokenizer"},
             "post_processor": None, "decoder": None,
             "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                       "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0}}}
LAST_TOKEN = {"modules.json": [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
                               for i, (kind, path) in enumerate([("Transformer", ""), ("Pooling", "1_Pooling"),
                                                                 ("Normalize", "2_Normalize")])],
              "1_Pooling/config.json": {"pooling_mode_lasttoken": True}}
END = 49407  # CLIP's end of text.


def clip():
    return transformers.CLIPModel(transformers.CLIPConfig(
        text_config={"eos_token_id": END}, vision_config={"patch_size": 32}, projection_dim=512))


def qwen3():
    """Qwen3-Embedding-0.6B with 4 of its 28 layers and 16,384 of its 151,669 tokens."""
    return transformers.Qwen3Model(transformers.Qwen3Config(
        hidden_size=1024, intermediate_size=3072, num_hidden_layers=4, num_attention_heads=16, num_key_value_heads=8,
        head_dim=128, vocab_size=16384, max_position_embeddings=32768, rope_theta=1e6))


# Name → (model, the token at a text's end, above all others, or 0 without texts; whether there are pictures; more files).
FAMILIES = {
    "clip_vit_b32": (clip, END, True, {}),
    "vit_b16": (lambda: transformers.ViTModel(transformers.ViTConfig()), 0, True, {}),
    "dinov2_small": (lambda: transformers.Dinov2Model(transformers.Dinov2Config(
        hidden_size=384, num_attention_heads=6, image_size=518, patch_size=14)), 0, True, {}),
    "resnet50": (lambda: transformers.ResNetModel(transformers.ResNetConfig()), 0, True, {}),
    "qwen3_4_layers": (qwen3, 16383, False, LAST_TOKEN),
}


def folder_of(name):
    """The model's folder, made if need be."""
    digest = hashlib.sha256(transformers.__version__.encode())
    with open(__file__, "rb") as file:
        digest.update(file.read())
    folder = os.path.join(environment.terminus_home(), "bench", "families", f"{name}-{digest.hexdigest()[:16]}")
    if os.path.exists(folder):
        return folder
    for other in glob.glob(os.path.join(os.path.dirname(folder), name + "-*")):
        shutil.rmtree(other)  # Some hundred MB each.
    make, tokens, pictures, files = FAMILIES[name]
    partial = folder + ".partial"
    torch.manual_seed(0)
    make().save_pretrained(partial)
    if tokens:
        files = {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}, **files, "tokenizer.json": TOKENIZER}
    if pictures:
        files = {**files, "preprocessor_config.json": SQUARE}
    for path, content in files.items():
        path = os.path.join(partial, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            json.dump(content, file)
    os.rename(partial, folder)
    return folder


def cases_of(name, bundle, out):
    _, tokens, pictures, _ = FAMILIES[name]
    chance = random.Random(20250101)
    cases = {}
    for batch, batches in ((1, 16), (8, 4)) if tokens else ():
        cases[f"text.b{batch}"] = {"modality": "text", "batches": [
            [[chance.randrange(1, tokens) for _ in range(chance.randint(LEAST, MOST) - 1)] + [tokens]
             for _ in range(batch)] for _ in range(batches)]}
    for batch, batches in ((1, 4), (8, 1)) if pictures else ():
        files = [f"image.b{batch}.{i}.rgb" for i in range(batches)]
        for file in files:
            make_inputs.images(chance, bundle, batch).tofile(os.path.join(out, file))
        cases[f"image.b{batch}"] = {"modality": "image", "batches": files,
                                    "shape": [batch, make_inputs.SIZE, make_inputs.SIZE, 3]}
    return cases


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=FAMILIES)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    cases = cases_of(arguments.name, arguments.bundle, arguments.out)
    with open(os.path.join(arguments.out, "inputs.json"), "w") as file:
        json.dump({"cases": cases}, file)
    print(folder_of(arguments.name))


if __name__ == "__main__":
    main()
