#!/usr/bin/env python3
"""Makes tokenizers of stages by chance, and what the library "tokenizers" makes of texts with them.

usage: make_random_tokenizers.py [COUNT SEED FILE]

Without arguments, writes the golden random_tokenizers.jsonl beside this script. With them, a file of COUNT tokenizers,
which the test RandomTokenizerTest replays when TERMINUS_RANDOM_TOKENIZERS names it. A tokenizer a line:
  base      the file of tests/golden/tokenizer with its vocabulary
  patch     sections that are changed in it; of the model, what is named
  texts     texts, and [ids, text that these ids decode to] of each
  lists     lists of ids by chance, and the text that each decodes to
"""

import json
import os
import pathlib
import random
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers

HERE = pathlib.Path(__file__).parent
TOKENIZERS = HERE.parent / "tokenizer"
COUNT, SEED = 120, 7
WORDS = """the of and Hello wörld THE it's don't naïve e\u0301tude É Straße İstanbul 日本語 漢字かな 서울 Москва Ελλάδα שלום नमस्ते
สวัสดี 😀 👨‍👩‍👧 🇩🇪 ½ Ⅳ ﬃ x=1; a->b "quoted" 'x' 3.14 2024-01-01 ___ [SEP] [CLS] <s> </s> <unk> <|im_start|> <|endoftext|>
<0x41> ▁ ▁the ##s s's do\u00a0not . , ! ? \t \n \r\n \u0000 \u200b \ufeff \u3000 \u0301 aaaa zzzzzz""".split(" ")
SPACES = ["", " ", " ", " ", "  ", "   "]
BASES = ["tokenizer.json", "clip.json", "bpe.json", "sentencepiece_bpe.json", "unigram.json"]


def text(chance):
    parts = []
    for _ in range(chance.randrange(1, 9)):
        parts += [chance.choice(WORDS), chance.choice(SPACES)]
    return chance.choice(SPACES) + "".join(parts)


def pattern(chance):
    return chance.choice([{"String": " "}, {"String": "e"}, {"String": "▁"}, {"String": "aa"}, {"Regex": r"\s+"}, {"Regex": "[a-m]+"},
                          {"Regex": r"\p{N}"}, {"Regex": r"'s|\p{L}+"}, {"Regex": " {2,}"}, {"Regex": r"\w+|[^\w\s]+"}])


def normalizer(chance):
    def flag():
        return chance.random() < 0.5
    return chance.choice([
        lambda: {"type": "BertNormalizer", "clean_text": flag(), "handle_chinese_chars": flag(),
                 "strip_accents": chance.choice([None, True, False]), "lowercase": flag()},
        lambda: {"type": "Lowercase"}, lambda: {"type": "NFC"}, lambda: {"type": "NFD"}, lambda: {"type": "NFKC"}, lambda: {"type": "NFKD"},
        lambda: {"type": "Nmt"}, lambda: {"type": "StripAccents"}, lambda: {"type": "Strip", "strip_left": flag(), "strip_right": flag()},
        lambda: {"type": "Prepend", "prepend": chance.choice(["▁", "x", " "])},
        lambda: {"type": "Replace", "pattern": pattern(chance), "content": chance.choice(["▁", " ", "", "oo"])}])()


def pre_tokenizer(chance):
    behavior = chance.choice(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])
    return chance.choice([
        lambda: {"type": "BertPreTokenizer"}, lambda: {"type": "Whitespace"}, lambda: {"type": "WhitespaceSplit"},
        lambda: {"type": "Digits", "individual_digits": chance.random() < 0.5}, lambda: {"type": "Punctuation", "behavior": behavior},
        lambda: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": chance.choice(["always", "first", "never"]),
                 "split": chance.random() < 0.5},
        lambda: {"type": "Split", "pattern": pattern(chance), "behavior": behavior, "invert": chance.random() < 0.3}])()


def decoder(chance):
    return chance.choice([
        lambda: {"type": "BPEDecoder", "suffix": chance.choice(["</w>", "e"])}, lambda: {"type": "ByteFallback"}, lambda: {"type": "Fuse"},
        lambda: {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        lambda: {"type": "CTC", "pad_token": "e", "word_delimiter_token": "▁", "cleanup": chance.random() < 0.5},
        lambda: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": chance.choice(["always", "never"]), "split": True},
        lambda: {"type": "Replace", "pattern": pattern(chance), "content": chance.choice(["▁", " ", "", "oo"])},
        lambda: {"type": "Strip", "content": chance.choice(["▁", " ", "e"]), "start": chance.randrange(3), "stop": 0},
        lambda: {"type": "WordPiece", "prefix": chance.choice(["##", "▁"]), "cleanup": chance.random() < 0.5}])()


def sequence(kind, made):
    return None if not made else made[0] if len(made) == 1 else {"type": "Sequence", kind: made}


def patch(chance, document):
    """Sections by chance; each is kept as often as not."""
    found, byte_level = {}, "ByteLevel" in json.dumps(document["pre_tokenizer"])
    if chance.random() < 0.6:
        found["normalizer"] = sequence("normalizers", [normalizer(chance) for _ in range(chance.randrange(4))])
    if chance.random() < 0.6:
        stages = [pre_tokenizer(chance) for _ in range(chance.randrange(3))]
        if byte_level:
            stages.append({"type": "ByteLevel", "add_prefix_space": chance.random() < 0.5, "trim_offsets": True, "use_regex": chance.random() < 0.5})
        found["pre_tokenizer"] = sequence("pretokenizers", stages)
    if chance.random() < 0.7:
        found["decoder"] = sequence("decoders", [decoder(chance) for _ in range(chance.randrange(5))])
    model, kind = {}, document["model"]["type"]
    if kind == "BPE" and chance.random() < 0.6:
        for key in ("fuse_unk", "byte_fallback", "ignore_merges"):
            model[key] = chance.random() < 0.5
    if kind == "Unigram" and chance.random() < 0.5:
        model["byte_fallback"] = True
    if kind == "WordPiece" and chance.random() < 0.5:
        model["max_input_chars_per_word"] = chance.randrange(1, 12)
    if model:
        found["model"] = model
    if chance.random() < 0.7:
        tokens = list(document["added_tokens"])
        for content in chance.sample(["the", "Hello", " ", "wör", "<x>", "日本", "s's", "▁the", "aa", "É", "it"], chance.randrange(5)):
            tokens.append({"id": 0, "content": content, **{key: chance.random() < 0.4 for key in (
                "single_word", "lstrip", "rstrip", "normalized", "special")}})
        found["added_tokens"] = tokens
    return found


def changed(document, sections):
    return document | sections | {"model": document["model"] | sections.get("model", {})}


def line(chance, documents):
    """A tokenizer and its results; nothing for one that the library refuses or fails on."""
    base = chance.choice(BASES)
    sections = patch(chance, documents[base])
    try:
        made = tokenizers.Tokenizer.from_str(json.dumps(changed(documents[base], sections)))
        if "added_tokens" in sections:  # under the ids that they got
            sections["added_tokens"] = json.loads(made.to_str())["added_tokens"]
        made.no_padding()
        made.no_truncation()
        found = {"base": base, "patch": sections, "texts": [], "lists": []}
        for _ in range(6):
            one = text(chance)
            ids = made.encode(one).ids
            found["texts"].append([one, ids, made.decode(ids, skip_special_tokens=False)])
        size = made.get_vocab_size()
        for _ in range(4):
            ids = [chance.randrange(min(size, 560)) for _ in range(chance.randrange(1, 9))]
            found["lists"].append([ids, made.decode(ids, skip_special_tokens=False)])
        return found
    except BaseException as error:  # panics of the library, too
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def main():
    count, seed, path = (int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]) if len(sys.argv) == 4 else (
        COUNT, SEED, HERE / "random_tokenizers.jsonl")
    chance = random.Random(seed)
    documents = {base: json.loads((TOKENIZERS / base).read_text(encoding="utf-8")) for base in BASES}
    with open(path, "w", encoding="utf-8") as file:
        while count > 0:
            found = line(chance, documents)
            if found is not None:
                file.write(json.dumps(found, ensure_ascii=False, separators=(",", ":")) + "\n")
                count -= 1


if __name__ == "__main__":
    main()
