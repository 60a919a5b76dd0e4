#!/usr/bin/env python3
"""Makes the goldens of the kinds of tokenizer.json beyond WordPiece and byte-level BPE with the library "tokenizers".

usage: make_kind_goldens.py [--train]

Takes the vocabularies from the files that are there; with --train, makes others from the texts of make_goldens.py:
training settles ties by chance. Written beside this script:
  clip.json, sentencepiece_bpe.json, unigram.json   tokenizers
  kinds.json         by name, a variant: one of these files, and the sections that are changed in it
  kinds_texts.jsonl  a text a line: by variant, its ids and a hash of what these decode to
  kinds_ids.jsonl    ids by chance a line, many of them bytes: by variant, what they decode to
"""

import base64
import json
import pathlib
import random
import struct
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers

from make_goldens import TEXTS, fnv1a, texts

HERE = pathlib.Path(__file__).parent
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
CLIP_SPLIT = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"

MORE_TEXTS = [
    "<s>in front, </s> inside  <s> spaces  </s>", " leading and trailing ", "▁▁ marks ▁ written", "a  b   c    d",
    "one two  the the_ other theatre two", "x || y||z  ||  ", "INT int Int", "<unk> <unk><unk>é", "\u0000 nul",
    "e\u0301\u0327 \u0301 e\u200d \u0600a \u0600\u0301 \r\n \r\r\n a\u0308\r", "©\u200d© ❤\u200d🔥 🇩🇪🇩", "<0x41><0x0A>",
    "<|startoftext|>a photo<|endoftext|>", "½⅓ ㎏ ﬃ ﷺ Ⅳ", "\U00010781 \ua7f2 \u32ff", "中文字符 未知", "ab" * 70,
]


def template(before, after):
    ids = {"<unk>": 0, "<s>": 1, "</s>": 2}
    def pieces(names):
        return [{"SpecialToken": {"id": name, "type_id": 0}} for name in names]
    return {"type": "TemplateProcessing", "single": pieces(before) + [{"Sequence": {"id": "A", "type_id": 0}}] + pieces(after),
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in before + after}}


def added(first_id, *tokens):
    """Special tokens of every file here, and these."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    found = [dict(flags, id=i, content=content) for i, content in enumerate(("<unk>", "<s>", "</s>"))]
    for i, token in enumerate(tokens):
        found.append(flags | {"id": first_id + i, "special": False} | token)
    return found


def sequence(kind, *elements):
    return {"type": "Sequence", kind: list(elements)}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


def metaspace(scheme, split=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def strip(content, start):
    return {"type": "Strip", "content": content, "start": start, "stop": 0}


BLANKS = replace({"String": " "}, "▁")
MARKS = replace({"String": "▁"}, " ")
FALLBACK, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
LLAMA_DECODER = sequence("decoders", MARKS, FALLBACK, FUSE, strip(" ", 1))


def charsmap():
    """Rules as SentencePiece compiles them: a double array of the keys, and the replacements, each with a NUL."""
    rules = {}
    for c in sorted({c for text in texts() + MORE_TEXTS for c in text} - {"\0"}):
        simple = unicodedata.normalize("NFKC", c)
        if c in "\t\n\r\u00a0\u3000\u200b\u2028\ufeff":
            simple = " "
        elif unicodedata.category(c) == "Cc":
            simple = ""
        if simple != c:
            rules[c] = simple
        for mark in "\u0301\u0308\u0327":
            joined = unicodedata.normalize("NFKC", c + mark)
            if len(joined) == 1 and len((c + mark).encode()) < 6:
                rules[c + mark] = joined
    replacements, values = b"", {}
    for key, replacement in rules.items():
        values[key.encode()] = len(replacements)
        replacements += replacement.encode() + b"\0"
    # A node's children are at its base, exclusive or their byte; its value, if it is a key, is at its base.
    units, taken, used_bases = {}, {0}, set()

    def build(place, depth, keys, label):
        value = next((values[key] for key in keys if len(key) == depth), None)
        children = {}
        for key in keys:
            if len(key) > depth:
                children.setdefault(key[depth], []).append(key)
        wanted = list(children) + ([0] if value is not None else [])
        base = next(b for b in range(1, 1 << 20) if b not in used_bases and not any(b ^ w in taken for w in wanted))
        used_bases.add(base)
        taken.update(base ^ w for w in wanted)
        units[place] = (place ^ base) << 10 | (0x100 if value is not None else 0) | label
        if value is not None:
            units[base] = 0x80000000 | value
        for byte, below in children.items():
            build(base ^ byte, depth + 1, below, byte)

    build(0, 0, list(values), 0)
    array = b"".join(struct.pack("<I", units.get(i, 0)) for i in range((max(units) | 0xFF) + 1))
    return base64.b64encode(struct.pack("<I", len(array)) + array + replacements).decode()


def train_clip():
    made = tokenizers.Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "),
                                            normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(CLIP_SPLIT), behavior="removed", invert=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.train_from_iterator(texts(), trainers.BpeTrainer(
        vocab_size=900, end_of_word_suffix="</w>", show_progress=False, special_tokens=["<|startoftext|>", "<|endoftext|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    document = json.loads(made.to_str())
    document["decoder"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    document["post_processor"] = {"type": "RobertaProcessing", "sep": ["<|endoftext|>", 1], "cls": ["<|startoftext|>", 0],
                                  "trim_offsets": False, "add_prefix_space": False}
    return document


def train_sentencepiece_bpe():
    made = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(texts(), trainers.BpeTrainer(
        vocab_size=900, limit_alphabet=120, special_tokens=["<unk>", "<s>", "</s>", *BYTES], show_progress=False))
    document = json.loads(made.to_str())
    document |= {"normalizer": sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, BLANKS), "pre_tokenizer": None,
                 "decoder": LLAMA_DECODER, "post_processor": template(["<s>"], []), "added_tokens": added(900)}
    return document


def train_unigram():
    made = tokenizers.Tokenizer(models.Unigram())
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    latin = ["".join(c for c in text if ord(c) < 0x250) for text in texts()]
    made.train_from_iterator(latin, trainers.UnigramTrainer(
        vocab_size=700, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>", *BYTES], show_progress=False))
    document = json.loads(made.to_str())
    model = document["model"]
    model["vocab"] = [[token, round(score, 6)] for token, score in model["vocab"]]
    document |= {"normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap()},
                 "pre_tokenizer": metaspace("always"), "decoder": metaspace("always"),
                 "post_processor": template([], ["</s>"]), "added_tokens": added(len(model["vocab"]))}
    return document


def prefixed_bpe():
    made = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator([text.lower() for text in texts()], trainers.BpeTrainer(
        vocab_size=500, limit_alphabet=60, continuing_subword_prefix="##", end_of_word_suffix="</w>",
        special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
    return json.loads(made.to_str())["model"]


def model_there(name, *path):
    """The model that a file has; nothing if there is none or others are wanted."""
    if "--train" in sys.argv or not (HERE / name).exists():
        return None
    found = json.loads((HERE / name).read_text(encoding="utf-8"))
    for key in path:
        found = found[key]
    return found["model"]


def variants(sizes):
    def normalized(*types):
        return sequence("normalizers", *[{"type": kind} if isinstance(kind, str) else kind for kind in types])
    both_sides = {"type": "Strip", "strip_left": True, "strip_right": True}
    bpe, unigram = "sentencepiece_bpe.json", "unigram.json"
    end = sizes[bpe]
    return {
        "clip": ("clip.json", {}),
        "llama": (bpe, {}),
        "first": (bpe, {"normalizer": None, "pre_tokenizer": metaspace("first", False)}),
        "never": (bpe, {"normalizer": None, "pre_tokenizer": metaspace("never"), "decoder": metaspace("never")}),
        "gemma": (bpe, {"normalizer": BLANKS, "decoder": sequence("decoders", MARKS, FALLBACK, FUSE), "pre_tokenizer": {
            "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}}),
        "no_bytes": (bpe, {"model": {"byte_fallback": False, "ignore_merges": True}, "decoder": None}),
        "each_unknown": (bpe, {"model": {"byte_fallback": False, "fuse_unk": False},
                               "decoder": sequence("decoders", strip("▁", 2), MARKS)}),
        "added": (bpe, {"added_tokens": added(
            end, {"content": "the", "single_word": True}, {"content": "<|x|>", "lstrip": True},
            {"content": "||", "rstrip": True}, {"content": "two", "lstrip": True, "rstrip": True},
            {"content": "INT", "normalized": True}, {"content": "photo of", "normalized": True, "special": True}),
            "normalizer": normalized("Lowercase", {"type": "Prepend", "prepend": "▁"}, BLANKS)}),
        "prefixed": (bpe, {"model": model_there("kinds.json", "prefixed", 1) or prefixed_bpe(), "normalizer": {"type": "Lowercase"}, "decoder": {
            "type": "BPEDecoder", "suffix": "</w>"}, "pre_tokenizer": {"type": "Whitespace"}}),
        "t5": (unigram, {}),
        "xlmr": (unigram, {"pre_tokenizer": sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace("always")),
                           "post_processor": {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]}}),
        "unigram_bytes": (unigram, {"model": {"byte_fallback": True}, "pre_tokenizer": metaspace("first", False),
                                    "decoder": LLAMA_DECODER}),
        "unigram_nfkc": (unigram, {
            "normalizer": normalized("Nmt", "NFKC", replace({"Regex": " {2,}"}, " ")),
            "decoder": {"type": "WordPiece", "prefix": "▁", "cleanup": True}, "pre_tokenizer": sequence(
                "pretokenizers", metaspace("always"), {"type": "Digits", "individual_digits": True},
                {"type": "Punctuation", "behavior": "Isolated"})}),
        "unigram_accents": (unigram, {"normalizer": normalized(
            "NFKD", "StripAccents", "Lowercase", both_sides)}),
        "unigram_nfd": (unigram, {"normalizer": normalized("NFD", "StripAccents")}),
        "unigram_characters": (unigram, {"normalizer": normalized("ByteLevel"), "decoder": {
            "type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}}),
    }


def change(document, patch):
    """Sections are replaced; of the model, what is named."""
    model = document["model"] | patch.get("model", {})
    return document | patch | {"model": model}


def main():
    files = {"clip.json": train_clip(), "sentencepiece_bpe.json": train_sentencepiece_bpe(), "unigram.json": train_unigram()}
    for name, document in files.items():
        document["model"] = model_there(name) or document["model"]
        (HERE / name).write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    changes = variants({name: len(document["model"]["vocab"]) for name, document in files.items()})
    encoders = {name: tokenizers.Tokenizer.from_str(json.dumps(change(files[file], patch)))
                for name, (file, patch) in changes.items()}
    for name, (_, patch) in changes.items():
        if "added_tokens" in patch:  # under the ids that they got
            patch["added_tokens"] = json.loads(encoders[name].to_str())["added_tokens"]
    (HERE / "kinds.json").write_text(json.dumps(changes, ensure_ascii=False, separators=(",", ":")) + "\n",
                                     encoding="utf-8")
    samples = [text[:240] for text in TEXTS + MORE_TEXTS] + texts()[len(TEXTS)::8]
    with open(HERE / "kinds_texts.jsonl", "w", encoding="utf-8") as file:
        for text in samples:
            line = {"text": text}
            for name, encoder in encoders.items():
                ids = encoder.encode(text).ids
                decoded = encoder.decode(ids, skip_special_tokens=True) if ids else ""
                line[name] = [ids, f"{fnv1a(decoded.encode()):016x}"]
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
    chance = random.Random(5)
    with open(HERE / "kinds_ids.jsonl", "w", encoding="utf-8") as file:
        for _ in range(60):
            # Behind the special tokens the bytes come first.
            ids = [chance.choice([chance.randrange(3, 259), 3 + chance.choice(b"\xc3\xa9\xe2\x82\xac a"),
                                  chance.randrange(500)]) for _ in range(chance.randrange(1, 9))]
            line = {"ids": ids}
            for name, encoder in encoders.items():
                line[name] = encoder.decode(ids, skip_special_tokens=False)
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
