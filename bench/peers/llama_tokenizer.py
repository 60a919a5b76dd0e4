"""Makes a tokenizer of Llama 3's size for a model with random weights: byte-level BPE over made-up words.

A word is two syllables, each a consonant and a vowel: "kalu". Of a text of such words, separated by single spaces, each
word is one token. That holds because no merge joins a vowel with what follows it before both syllables are whole.
"""

import itertools
import json
import os

CONSONANTS, VOWELS = "bcdfghjklmnpqrstvwxz", "aeiouy"
WORDS, SPECIAL = 128000, 256
SPACE = "\u0120"
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def byte_characters():
    """The characters that stand for the 256 bytes in a byte-level vocabulary, in its usual order."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return [chr(byte) for byte in shown] + [chr(256 + i) for i in range(len(hidden))]


def merges():
    """Pairs in the order in which they are merged: syllables, words, words behind a space, longer words."""
    syllables = [a + b for a, b in itertools.product(CONSONANTS, VOWELS)]
    words = [a + b for a, b in itertools.product(syllables, syllables)]
    pairs = [(syllable[0], syllable[1]) for syllable in syllables]
    pairs += [(word[:2], word[2:]) for word in words]
    pairs += [(SPACE, word) for word in words]
    longer = ((SPACE + word, syllable) for syllable in syllables for word in words)
    return pairs + list(itertools.islice(longer, WORDS - 256 - len(pairs)))


def special_tokens():
    return ["<|begin_of_text|>", "<|end_of_text|>",
            *(f"<|reserved_special_token_{i}|>" for i in range(SPECIAL - 2))]


def tokenizer():
    pairs = merges()
    vocabulary = byte_characters() + [a + b for a, b in pairs]
    added = [{"id": WORDS + i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for i, token in enumerate(special_tokens())]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {token: i for i, token in enumerate(vocabulary)},
                      "merges": [list(pair) for pair in pairs]}}


def write(folder):
    """tokenizer.json and tokenizer_config.json. The chat template is the messages and nothing else."""
    bos, eos = special_tokens()[:2]
    files = {"tokenizer.json": tokenizer(),
             "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos,
                                       "chat_template": TEMPLATE}}
    for name, content in files.items():
        with open(os.path.join(folder, name), "w") as file:
            json.dump(content, file)
