#!/usr/bin/env python3
"""Makes the goldens of byte-level BPE with the library "tokenizers".

usage: make_bpe_goldens.py

Trains a small vocabulary on the texts of make_goldens.py. Written beside this script:
  bpe.json         the tokenizer, pre-tokenised as GPT-2 does it
  bpe_texts.jsonl  a text a line: its ids in each variant of the pre-tokenizer, and the first one's decoded again;
                   and ids by chance with what they decode to, mostly broken characters
"""

import json
import pathlib
import random

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from make_goldens import texts

HERE = pathlib.Path(__file__).parent
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")

# Pre-tokenizers by name of the variant; golden_test.cc has the same.
VARIANTS = {
    "gpt2": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    "digits": {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]},
    "split": {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
    "prefix": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    "classes": {"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"},
        {"type": "Punctuation", "behavior": "MergedWithPrevious"},
        {"type": "Digits", "individual_digits": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
    "whitespace": {"type": "Sequence", "pretokenizers": [
        {"type": "Whitespace"},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]},
}


def train():
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts(), trainer)
    return json.loads(tokenizer.to_str())


def samples():
    """The texts, special tokens among them, and words too long for a look at every pair."""
    yield from texts()
    yield "<|im_start|>user\nHi<|im_end|>\n"
    yield "a<|endoftext|><|endoftext|>  b"
    yield ""
    yield "the" * 400
    yield "".join(chr(0x4E00 + i * 7 % 5000) for i in range(300))


def main():
    document = train()
    (HERE / "bpe.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n",
                                   encoding="utf-8")
    encoders = {name: tokenizers.Tokenizer.from_str(json.dumps(dict(document, pre_tokenizer=variant)))
                for name, variant in VARIANTS.items()}
    chance = random.Random(11)
    with open(HERE / "bpe_texts.jsonl", "w", encoding="utf-8") as file:
        for text in samples():
            line = {"text": text}
            line |= {name: encoder.encode(text).ids for name, encoder in encoders.items()}
            ids = line["gpt2"]
            line["decoded"] = encoders["gpt2"].decode(ids, skip_special_tokens=True)
            # From the middle on: characters cut in two.
            line["tail"] = encoders["gpt2"].decode(ids[len(ids) // 2:], skip_special_tokens=False)
            line["random"] = [chance.randrange(300 if chance.random() < 0.9 else 700) for _ in range(chance.randrange(12))]
            line["random_text"] = encoders["gpt2"].decode(line["random"], skip_special_tokens=False)
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
