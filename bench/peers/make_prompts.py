"""Writes the prompts every contender of bench/area_decode.py continues.

    make_prompts.py --bundle FOLDER --out FOLDER

OUT/inputs.json: {"prompts": [[token id, ...], ...]}: 8 texts cut at 64 tokens each.
"""

import argparse
import json
import os
import sys

from tokenizers import Tokenizer

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from texts import texts  # noqa: E402

PROMPTS, LENGTH = 8, 64


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    tokenizer = Tokenizer.from_file(f"{args.bundle}/decoder/tokenizer.json")
    # Many short texts make one long enough.
    prompts = [tokenizer.encode(". ".join(texts(16, seed=i))).ids[:LENGTH] for i in range(PROMPTS)]
    assert all(len(prompt) == LENGTH for prompt in prompts)
    with open(os.path.join(args.out, "inputs.json"), "w") as file:
        json.dump({"prompts": prompts}, file)


if __name__ == "__main__":
    main()
