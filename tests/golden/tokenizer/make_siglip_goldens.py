#!/usr/bin/env python3
"""Makes the goldens of SiglipTokenizer, which works on spiece.model, with transformers and sentencepiece.

usage: make_siglip_goldens.py [--train]      writes beside this script
       make_siglip_goldens.py FOLDER LINES   a differential run: so many mixed lines too, and larger vocabularies

Takes the vocabularies that are there; with --train, makes them again: another version of sentencepiece may train others.
Those of a differential run have all rules of nmt_nfkc. To compare:

    TERMINUS_SIGLIP_GOLDENS=FOLDER common_tokenizer_test --gtest_filter=Siglip*

Written are:
  siglip.model, siglip_bytes.model, siglip_symbols.model, siglip_raw.model   vocabularies of SentencePiece
  siglip_folders.json   by name, a folder: its vocabulary and other files
  siglip_texts.jsonl    a text a line, to be taken so many times: its ids in the folder "published", how many of them come
                        without the token at the end, and for each other folder in turn a hash of its ids
  siglip_cuts.json      texts that are cut: folder, text, limit, ids
"""

import itertools
import json
import pathlib
import random
import string
import sys
import tempfile
import unicodedata

import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2
from transformers import AutoTokenizer

from make_goldens import fnv1a
from mixed_lines import lines

HERE = pathlib.Path(__file__).parent
CORPUS = """a photo of a cat on the roof of the old house by the river
the cats of the harbour wait for the fishing boats every morning
two dogs run along the beach and a child throws them a red ball
a drawing of a painting of the sea and the other sea behind the sea
this is a picture of an apple abc abcd bcd cde the theatre of the north
crème brûlée naïve café zürich straße ένας οδυσσεύς σοφός ος σα москва зима
1984 2024 12 apples 3 pears kilometres metres a b c d e f g h i j k l m n o p q r s t u v w x y z""".splitlines()
MORE_WORDS = """all will each about how up out them then she many some so these would into has more her like him see time could make than
first been its who now people over did down only way find use may water long little very after words called just where most know
sleeping running painting drawing fishing boating walking reading waiting houses riverside seaside rooftops lighthouse lighter""".splitlines()
USER_DEFINED, UNUSED, BYTE = 4, 5, 6


def rules():
    """Some of nmt_nfkc: what NFKC changes in a few blocks, blanks, and characters that vanish."""
    found = {}
    for c in itertools.chain(range(0xa0, 0x180), range(0x2000, 0x2070), range(0x2100, 0x2190), range(0x3000, 0x3100),
                             range(0xfb00, 0xfb07), range(0xff01, 0xff80), range(0x1f100, 0x1f110)):
        form = unicodedata.normalize("NFKC", chr(c))
        if form != chr(c):
            found[chr(c)] = form
        parts = unicodedata.normalize("NFD", chr(c))
        if len(parts) > 1 and unicodedata.normalize("NFC", parts) == chr(c):
            found[parts] = form
    for c in (0x09, 0x0a, 0x0c, 0x0d, 0x1680, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd):
        found[chr(c)] = " "
    for c in (0x01, 0x08, 0x0b, 0x1f, 0x7f, 0x8f, 0x9f):
        found[chr(c)] = ""
    found["...."] = "…"
    return found


def train(target, differential):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        chance = random.Random(5)
        words = " ".join(CORPUS + MORE_WORDS).split()
        corpus = [" ".join(chance.choices(words, k=12)) for _ in range(400)]
        if differential:
            corpus += [line.replace("\0", "") for line in lines(4000)]
        (folder / "corpus").write_text("\n".join(corpus), encoding="utf-8")
        (folder / "rules.tsv").write_text("".join(
            " ".join(f"{ord(c):X}" for c in key) + "\t" + " ".join(f"{ord(c):X}" for c in value) + "\n"
            for key, value in rules().items()), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(folder / "corpus"), model_prefix=str(folder / "made"), vocab_size=16000 if differential else 320,
            hard_vocab_limit=False, model_type="unigram", character_coverage=0.995 if differential else 1.0,
            **({} if differential else {"normalization_rule_tsv": str(folder / "rules.tsv")}), pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
            num_threads=1, minloglevel=2)
        whole = sentencepiece_model_pb2.ModelProto.FromString((folder / "made.model").read_bytes())
    whole.trainer_spec.Clear()  # paths of this machine; the defaults are those of the vocabulary
    whole.normalizer_spec.ClearField("normalization_rule_tsv")

    def write(name, change=None):
        made = sentencepiece_model_pb2.ModelProto()
        made.CopyFrom(whole)
        if change is not None:
            change(made)
        (target / name).write_bytes(made.SerializeToString(deterministic=True))

    def fall_back(made):
        made.trainer_spec.byte_fallback = True
        for byte in range(256):
            made.pieces.add(piece=f"<0x{byte:02X}>", score=0, type=BYTE)

    def add_symbols(made):
        for symbol in ("ab", "abc", "▁cat", "é", "x y", "＃", "ca t"):
            known = [piece for piece in made.pieces if piece.piece == symbol]
            piece = known[0] if known else made.pieces.add(piece=symbol, score=0)
            piece.type = USER_DEFINED
        for piece in made.pieces:
            if piece.piece in ("▁the", "ing"):
                piece.type = UNUSED

    def keep_all(made):
        made.normalizer_spec.precompiled_charsmap = b""
        made.normalizer_spec.remove_extra_whitespaces = False
        made.normalizer_spec.add_dummy_prefix = False

    write("siglip.model")
    write("siglip_bytes.model", fall_back)
    write("siglip_symbols.model", add_symbols)
    write("siglip_raw.model", keep_all)


def token(content, **on):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True, **on}


# As google/siglip-base-patch16-224 has it.
PUBLISHED = {"added_tokens_decoder": {"1": token("</s>", lstrip=True, rstrip=True), "2": token("<unk>", rstrip=True)},
             "additional_special_tokens": [], "clean_up_tokenization_spaces": True, "do_lower_case": True, "eos_token": "</s>",
             "model_input_names": ["input_ids"], "model_max_length": 64, "pad_token": "</s>", "processor_class": "SiglipProcessor",
             "sp_model_kwargs": {}, "tokenizer_class": "SiglipTokenizer", "unk_token": "<unk>"}
OWN = {"tokenizer_class": "SiglipTokenizer"}


def folder(model, config, added=(), **files):
    return {"model": model, "files": {"config.json": {"model_type": "siglip"}, "tokenizer_config.json": config,
                                      "tokenizer.json": {"added_tokens": list(added)}, **files}}


def folders():
    decoder = PUBLISHED["added_tokens_decoder"]
    overlapping = {str(300 + i): token(content, special=False, normalized=True)
                   for i, content in enumerate(["abcd", "bc", "cde", "bcdex", "lower", "blowing", "w", "<unk", "k>a", "The"])}
    alone = {"300": token("cat", single_word=True, special=False), "301": token("sea", single_word=True, lstrip=True, rstrip=True),
             "302": token("▁a", special=False), "303": token(" of", special=False, rstrip=True), "304": token("<mark>", lstrip=True)}
    return {
        "published": folder("siglip.model", PUBLISHED),
        "bare": folder("siglip.model", OWN),
        "from_file": folder("siglip.model", OWN, [dict(token("</s>", lstrip=True, rstrip=True), id=1), dict(token("photo"), id=270)]),
        "cased": folder("siglip.model", {**PUBLISHED, "do_lower_case": False}),
        "without_prefix": folder("siglip.model", {**PUBLISHED, "legacy": False}),
        "split": folder("siglip.model", {**PUBLISHED, "split_special_tokens": True}),
        "overlapping": folder("siglip.model", {**PUBLISHED, "added_tokens_decoder": {**decoder, **overlapping}}),
        "alone": folder("siglip.model", {**PUBLISHED, "added_tokens_decoder": {**decoder, **alone}, "truncation_side": "left"}),
        "named": folder("siglip.model", {**OWN, "extra_special_tokens": ["▁the", "of", "<new>"], "cls_token": "photo", "unk_token": "cat",
                                         "image_token": "<image>"}, **{"added_tokens.json": {"red": 261, "</s>": 1}}),
        "bytes": folder("siglip_bytes.model", PUBLISHED),
        "symbols": folder("siglip_symbols.model", PUBLISHED),
        "raw": folder("siglip_raw.model", PUBLISHED),
        "raw_without_prefix": folder("siglip_raw.model", {**OWN, "legacy": False, "do_lower_case": False}),
    }


SPELLED = ["</s>", "<unk>", "<pad>", "<s>", "</S>", "<UNK>", "< /s>", "</s", "s>", "<new>", "<image>", "<mark>", "▁the", "abcd"]
CHARACTERS = ["▁", "\ufeff", "\u200b", "\u200c", "\u200d", "\u2060", "\u00a0", "\u2028", "\u3000", "\u0085", "\u001c", "\u001f", "\t", "\n",
              "\r", "\r\n", "\v", "\f", "\u180e", "\u1680", "\u202f", "\u0001", "\u007f", "\u0000", "\u0301", "\u0345", "\u0327\u0301", "é",
              "e\u0301", "Σ", "σ", "ς", "İ", "ı", "ß", "ẞ", "ǅ", "ﬁ", "Å", "Ａ", "＃", "½", "Ⅳ", "™", "…", "....", "…", "猫", "か\u3099", "서울",
              "각", "ب", "नि", "😀", "👨‍👩‍👧", "👍🏽", "🇩🇪", "\ue000", "\U0010ffff", "\ufffd", "\ufffe", "\U0001e030", "\U0001df25", "\ua7d0", "ꟊ",
              "🄀", "x y", "ca t", "'", "’", ".", "-", "0", "٣", "A", "Ω", "Ǆ"]


def texts(more):
    found = ["", " ", "  ", "\n", "▁", "▁▁", " ▁ ", *CORPUS, *(line.upper() for line in CORPUS), *(line.title() for line in CORPUS)]
    for spelled in SPELLED:
        found += [spelled, f" {spelled}", f"{spelled} ", f"a{spelled}", f"{spelled}a", f"a {spelled} b", f"a  {spelled}  b", f"a{spelled}b",
                  spelled * 2, f"{spelled} {spelled}", f"the cat {spelled}", f"{spelled} the cat", f"a.{spelled}.b", f"a\u00a0{spelled}\u00a0b",
                  f"a\u001c{spelled}\u001cb", f"▁{spelled}▁", f"a▁{spelled}▁b", f"\ufeff{spelled}\ufeff", f"a photo {spelled}\n{spelled} of",
                  f"!{spelled}?", f"</s>{spelled}", f"<unk>{spelled}</s>"]
    for c in CHARACTERS:
        found += [c, f"a{c}", f"{c}a", f"a{c}b", f"a {c} b", f" {c}", f"{c} ", c * 3, f"the cat{c}", f"the cat {c}", f"{c} the cat",
                  f"</s>{c}", f"{c}</s>", f"<unk>{c}<unk>"]
    for p in string.punctuation:
        found += [p, p * 3, f"a{p}b", f"a {p} b", f"the{p}", f"{p}the cat"]
    for word in ("ΟΔΥΣΣΕΥΣ", "ΣΟΦΟΣ", "Σ", "ΑΣ", "ΑΣ.", "ΑΣ.Α", "Α.Σ", "ΑΣ\u0301", "ΑΣ\u0301Α", "\u0301Σ", "ΑΣ\u00adΑ", "ΑΣ'", "aΣ1", "1Σ", "ǅΣ",
                 "ʰΣ", "Σʰ", "ΑΣʰ", "ΑΣ\U0001e030", "\U0001e030Σ", "Α\U0001e08fΣ", "ΣΣ", "ΑΣ Σ", "ΑΣ▁Α", "ΑΣ</s>Α", "ΑΣ\u0345", "\u0345Σ"):
        found += [word, f"{word} cat", f"cat {word}"]
    chance = random.Random(20260611)
    words = [*" ".join(CORPUS).split(), "ab", "abc", "abcd", "abcde", "bcdex", "blowing", "blower", "lowball", "The", "CAT", "xyzzy", "zzz"]
    while len(found) < 2000:
        parts = []
        for _ in range(chance.randrange(1, 9)):
            kind = chance.random()
            word = chance.choice(words)
            parts.append(word if kind < 0.5 else chance.choice(CHARACTERS) if kind < 0.75 else chance.choice(SPELLED) if kind < 0.85
                         else word + chance.choice(string.punctuation) if kind < 0.95 else " " * chance.randrange(1, 4))
        found.append(chance.choice(["", " ", " "]).join(parts))
    # The last ones have sums of scores beyond what SentencePiece counts up to.
    return [(text, 1) for text in dict.fromkeys([*found, *lines(more)])] + [("猫犬", 4500), ("the cat 猫 ", 1500)]


CUT_TEXTS = ["a photo of a cat", "a photo of a cat</s>", "a</s></s>", "</s>", "</s></s></s>", "", "a photo</s> of a cat</s></s>", "猫 犬 猫"]


def hash_of(ids):
    return f"{fnv1a(' '.join(map(str, ids)).encode()) >> 32:08x}"


def load(described, target):
    with tempfile.TemporaryDirectory() as name:
        place = pathlib.Path(name)
        for file, content in described["files"].items():
            (place / file).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        (place / "spiece.model").write_bytes((target / described["model"]).read_bytes())
        made = AutoTokenizer.from_pretrained(name)
    assert type(made).__name__ == "SiglipTokenizer", type(made)
    return made


def main():
    differential = len(sys.argv) == 3
    target = pathlib.Path(sys.argv[1]) if differential else HERE
    more = int(sys.argv[2]) if differential else 0
    if differential or "--train" in sys.argv[1:]:
        train(target, differential)
    described = folders()
    made = {name: load(folder, target) for name, folder in described.items()}
    for name, folder in described.items():
        folder["vocabulary"] = max(made[name].vocab_size, *(i + 1 for i in made[name].added_tokens_decoder))
        folder["end"] = made[name].eos_token_id
    written = []
    for text, times in texts(more):
        line = {"text": text, "times": times, "others": []} if times > 1 else {"text": text, "others": []}
        text = text * times
        for name, tokenizer in made.items():
            ids = tokenizer(text)["input_ids"]
            bare = tokenizer(text, add_special_tokens=False)["input_ids"]
            assert ids in (bare, bare + [tokenizer.eos_token_id]), (name, text)
            if name == "published":
                line["ids"], line["bare"] = (ids if times == 1 else hash_of(ids)), len(bare)
            else:
                line["others"].append(hash_of(ids))
        written.append(line)
    cuts = [[name, text, limit, made[name](text, truncation=True, max_length=limit)["input_ids"]]
            for name in ("published", "alone") for text in CUT_TEXTS for limit in range(1, 9)]
    versions = {"transformers": transformers.__version__, "sentencepiece": sentencepiece.__version__}
    (target / "siglip_folders.json").write_text(
        json.dumps({"versions": versions, "folders": described}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    with open(target / "siglip_texts.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in written)
    (target / "siglip_cuts.json").write_text(json.dumps(cuts, separators=(",", ":")) + "\n", encoding="utf-8")
    print(len(written), "texts")


if __name__ == "__main__":
    main()
