"""Writes the inputs every contender gets: token ids of generated texts, and images of the model's size.

    make_inputs.py --bundle FOLDER --out FOLDER

OUT/inputs.json: {"cases": {NAME: {"modality": "text", "batches": [[[token id, ...], ...], ...]}
                                | {"modality": "image", "shape": [batch, 224, 224, 3], "batches": [FILE, ...]}}}
where each FILE holds one batch as bytes, RGB, row-major.
"""

import argparse
import glob
import json
import os
import random
import sys

import numpy
from PIL import Image
from tokenizers import Tokenizer

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from texts import LEAST, MOST, texts  # noqa: E402

SIZE = 224


def images(rng, bundle, count):
    """`count` crops of the bundle's golden pictures: uint8 [count, 224, 224, 3]."""
    paths = sorted(path for end in ("png", "jpg", "jpeg") for path in glob.glob(f"{bundle}/golden/*.{end}"))
    if not paths:
        raise SystemExit(f"{bundle}/golden holds no picture to make image inputs of")
    pictures = [Image.open(path).convert("RGB") for path in paths]
    out = numpy.empty((count, SIZE, SIZE, 3), numpy.uint8)
    for i in range(count):
        picture = pictures[i % len(pictures)]
        side = int(min(picture.size) * rng.uniform(0.5, 1.0))
        x, y = rng.randint(0, picture.width - side), rng.randint(0, picture.height - side)
        out[i] = picture.crop((x, y, x + side, y + side)).resize((SIZE, SIZE), Image.BICUBIC)
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    rng = random.Random(20250101)
    cases = {}

    tokenizer = Tokenizer.from_file(f"{args.bundle}/text/tokenizer.json")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    for batch, batches in ((1, 32), (32, 8)):
        ids = [[tokenizer.encode(text).ids for text in texts(batch, seed=i)] for i in range(batches)]
        assert all(LEAST <= len(text) <= MOST for one in ids for text in one), "a word is more than one token"
        cases[f"text.b{batch}"] = {"modality": "text", "batches": ids}

    for batch, batches in ((1, 8), (8, 4), (16, 2)):
        files = []
        for i in range(batches):
            files.append(f"image.b{batch}.{i}.rgb")
            images(rng, args.bundle, batch).tofile(os.path.join(args.out, files[-1]))
        cases[f"image.b{batch}"] = {"modality": "image", "shape": [batch, SIZE, SIZE, 3], "batches": files}

    with open(os.path.join(args.out, "inputs.json"), "w") as file:
        json.dump({"cases": cases}, file)


if __name__ == "__main__":
    main()
