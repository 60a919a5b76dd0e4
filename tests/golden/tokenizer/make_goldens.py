#!/usr/bin/env python3
"""Makes the goldens of common/tokenizer with the library "tokenizers".

usage: make_goldens.py TOKENIZER_JSON

TOKENIZER_JSON is the default bundle's text/tokenizer.json. Written beside this script:
  tokenizer.json    the same, its vocabulary cut down to what the texts need
  texts.jsonl       a text a line: its ids by the full file, and by the small one in each variant
  code_points.json  for blocks of 16384 code points, a hash of what the normalizer makes of them
"""

import json
import pathlib
import random
import sys

import tokenizers

HERE = pathlib.Path(__file__).parent
BLOCK = 0x4000

# Normalizer options by name of the variant.
VARIANTS = {
    "uncased": dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True),
    "cased": dict(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=False),
    "accents": dict(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=True),
    "bare": dict(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False),
}

TEXTS = [
    "", " ", "\t\n\r ", "a", "Hello, World!", "The quick brown fox jumps over the lazy dog.",
    "A photo of a cat sitting on a red sofa.", "two dogs running on the beach at sunset",
    "unaffable", "antidisestablishmentarianism", "electroencephalographically",
    "It's 5 o'clock; don't be late!", "e-mail: someone@example.com, https://example.com/a?b=c#d",
    "$1,234.56 + 7% = ?", "C++20 && g++ -O3 -march=native", "snake_case camelCase kebab-case",
    "ALL CAPITALS", "MiXeD cAsE", "1234567890 3.14159 1e-10 0xdeadbeef",
    "…—–‘quoted’ “double” «guillemets» ‹single›", "¿Qué? ¡Sí! ©®™ §¶ °C ½ ² µ",
    "Crème brûlée, façade, naïve, Zoë, Ångström, smörgåsbord", "Cre\u0300me bru\u0302le\u0301e",
    "Łódź, Đà Nẵng, İstanbul, ıspanak, Straße, ŒUVRE, Þór, ßẞ", "Dvořák Hašek Ñandú Ōsaka Żółć",
    "Привет, как дела? ЁЖИК и йод", "Καλημέρα κόσμε, ΣΊΣΥΦΟΣ ΐ ᾳ", "Բարեւ աշխարհ", "გამარჯობა მსოფლიო",
    "שָׁלוֹם עולם", "مرحبا بالعالم ١٢٣", "السَّلَامُ عَلَيْكُمْ", "سلام دنیا می\u200cخواهم",
    "नमस्ते दुनिया क़ ख़", "হ্যালো বিশ্ব", "ਸਤਿ ਸ੍ਰੀ ਅਕਾਲ", "வணக்கம் உலகம்", "ഹലോ ലോകം",
    "สวัสดีชาวโลก", "ສະບາຍດີຊາວໂລກ", "བོད་སྐད", "မင်္ဂလာပါ", "សួស្តី​ពិភពលោក",
    "你好，世界！", "漢字と仮名とカタカナ", "東京タワー 2024年", "ｈａｌｆ ａｎｄ ｆｕｌｌ　ｗｉｄｔｈ ｱｲｳ", "㍿ ㈱ ①②③ Ⅳ ﬁ ﬂ",
    "안녕하세요 세계", "\u1112\u1161\u11ab\u1100\u1173\u11af", "𠀀𪜀𫝀豈更", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝐛𝐨𝐥𝐝 𝕯", "𐍈𐌰𐌿𐍃 𓀀 𒀀",
    "😀 😃😄 👍🏽 ❤️", "👨‍👩‍👧‍👦 family", "🏳️‍🌈🇩🇪🇫🇷", "emoji😀inside", "☃★☎✈♫→⇒∑√∞≈",
    "zero\u200bwidth\u200cjoin\u200der \ufeffbom", "soft\u00adhyphen no\u00a0break\u202fspace\u3000wide",
    "null\0byte bell\a escape\x1b del\x7f c1\x85\x9f", "tab\tnew\nline\rreturn\vvertical\ffeed",
    "left\u202eright\u202c marks\u2066x\u2069", "replacement \ufffd character", "private \ue000\uf8ff use",
    "tags \U000e0041\U000e007f and \U000f0000", "unassigned \u0378\U0001fffe\U0003fffd",
    "[CLS] in the text [SEP]", "[MASK] and [PAD] and [UNK]", "a[SEP]b", "[[CLS]]", "[cls] [Sep] [MASK",
    "##ing ## # #tag ##", "[CLS][CLS][SEP]", "[ CLS ]", "x" * 100, "x" * 101, "é" * 100, "é" * 101,
    "中" * 120, "ab" * 600, "." * 40, "a.b.c.d", "word " * 40, "\u0301", "a\u0301\u0327\u0316", "\u0327\u0301a",
    "q\u0307\u0323", "q\u0323\u0307", "Å\u212b", "ǅ ǈ ǋ ǲ", "K\u212a Ω\u2126", "ﷺ", "ự ữ ậ",
    "a\u302e\u0334b", "\U0001d15e\U0001d165\U0001d16e", "a\U0001d16d\U0001d165\u0301", "Ꮳꮳ ᏣᎳᎩ", "ⴀⴁ Ⴀ Ა",
    "\u1c89 \ua7dc \U00010d50", "\U00011938 \U00011935\U00011930", "\u0345\u0301 ΑΙ\u0345",
]

WORDS = """the a of and to in is on with for photo picture cat dog house tree mountain river bridge city
street man woman child red green blue yellow running sitting old new small large unbelievable
tokenization preprocessing internationalization café naïve Zürich Köln SÃO Paulo Москва река
Ελλάδα θάλασσα 東京 北京 猫 犬 서울 고양이 किताब بيت בית 😀 🐈 🚲 ... , . ! ? ( ) " ' - / : ; 2024 3.5
[MASK] [SEP] \u200b \u00a0 x1 foo_bar don't""".split(" ")


def texts():
    """The list above, and sentences put together from words."""
    chance = random.Random(20240229)
    found = list(TEXTS)
    for length in range(240):
        words = []
        for _ in range(1 + length % 24):
            word = chance.choice(WORDS)
            change = chance.random()
            if change < 0.1:
                word = word.upper()
            elif change < 0.15:
                word = word.capitalize() + chance.choice(WORDS)
            elif change < 0.2:
                word += chance.choice("\u0301\u0308\u0327\u0323\t\n,.;:")
            words.append(word)
        found.append(chance.choice([" ", " ", " ", "  ", ""]).join(words))
    return found


def normalizer(variant):
    return tokenizers.normalizers.BertNormalizer(**VARIANTS[variant])


def encoder(document, variant):
    document = dict(document, padding=None, truncation=None)
    document["normalizer"] = dict(type="BertNormalizer", **VARIANTS[variant])
    return tokenizers.Tokenizer.from_str(json.dumps(document))


def small_vocabulary(document):
    """The tokens that the texts come to in any variant, under new ids in the old order."""
    vocabulary = document["model"]["vocab"]
    used = {token["content"] for token in document["added_tokens"]}
    for variant in VARIANTS:
        tokenizer = encoder(document, variant)
        for text in texts():
            used.update(tokenizer.encode(text).tokens)
    return {token: i for i, token in enumerate(sorted(used, key=vocabulary.get))}


def shrink(document):
    vocabulary = small_vocabulary(document)
    small = dict(document, model=dict(document["model"], vocab=vocabulary))
    small["added_tokens"] = [dict(token, id=vocabulary[token["content"]])
                             for token in document["added_tokens"]]
    processor = json.loads(json.dumps(document["post_processor"]))
    for name, token in processor["special_tokens"].items():
        token["ids"] = [vocabulary[name]]
    small["post_processor"] = processor
    return small


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def block_hash(normalize, first):
    parts = [normalize(f"a{chr(c)}b") for c in range(first, first + BLOCK)
             if not 0xD800 <= c < 0xE000]
    return f"{fnv1a(chr(10).join(parts).encode()):016x}"


def main():
    document = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    small = shrink(document)
    (HERE / "tokenizer.json").write_text(
        json.dumps(small, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    full = encoder(document, "uncased")
    encoders = {variant: encoder(small, variant) for variant in VARIANTS}
    with open(HERE / "texts.jsonl", "w", encoding="utf-8") as file:
        for text in texts():
            line = {"text": text, "full": full.encode(text).ids}
            line |= {variant: e.encode(text).ids for variant, e in encoders.items()}
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
    hashes = {variant: [block_hash(normalizer(variant).normalize_str, first)
                        for first in range(0, 0x110000, BLOCK)] for variant in VARIANTS}
    (HERE / "code_points.json").write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
