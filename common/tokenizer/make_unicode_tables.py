#!/usr/bin/env python3
"""Writes unicode_tables.cc: how the library "tokenizers" classes code points.

usage: make_unicode_tables.py OUTPUT      (then clang-format -i OUTPUT)

The library carries character tables of an older Unicode version than ICU has. Models were trained
with what it does, so its own answers for every code point are taken down here.
"""

import sys

import tokenizers
from tokenizers import normalizers, pre_tokenizers

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

HEAD = """// Made by make_unicode_tables.py from tokenizers %s. Do not edit.
#include "common/tokenizer/unicode.h"

namespace terminus::tokenizer {
namespace {

"""

TAIL = """}  // namespace

absl::Span<const CodePointRange> CleanedRanges() { return kCleanedRanges; }
absl::Span<const CodePointRange> MarkRanges() { return kMarkRanges; }
absl::Span<const CodePointRange> CombiningMarkRanges() { return kCombiningMarkRanges; }
absl::Span<const CodePointRange> NonStarterRanges() { return kNonStarterRanges; }
absl::Span<const CodePointRange> PunctuationRanges() { return kPunctuationRanges; }
absl::Span<const CodePointRange> IdeographRanges() { return kIdeographRanges; }

}  // namespace terminus::tokenizer
"""


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(options | on)).normalize_str


def ranges(code_points):
    found = []
    for c in code_points:
        # A range may span the surrogates, which never occur in UTF-8.
        if found and c - found[-1][1] == (0x801 if c == 0xE000 else 1):
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def is_non_starter(c):
    # Only non-starters change places, with one of the lowest or one of the highest class.
    low, high = "\u0334", "\u0345"
    nfd = normalizers.NFD().normalize_str
    return nfd(f"a{chr(c)}{low}")[1] == low or nfd(f"a{high}{chr(c)}")[-1] == high


def array(name, code_points):
    items = ["{0x%04x, 0x%04x}" % (low, high) for low, high in ranges(code_points)]
    lines = ["    " + ", ".join(items[i:i + 5]) + ",\n" for i in range(0, len(items), 5)]
    return f"constexpr CodePointRange {name}[] = {{\n{''.join(lines)}}};\n\n"


def main():
    clean = bert(clean_text=True)
    strip = bert(strip_accents=True)
    chinese = bert(handle_chinese_chars=True)
    words = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    text = HEAD % tokenizers.__version__
    text += array("kCleanedRanges", (c for c in SCALARS if clean(chr(c)) == ""))
    text += array("kMarkRanges", (c for c in SCALARS if strip(chr(c)) == ""))
    accents = normalizers.StripAccents().normalize_str
    text += array("kCombiningMarkRanges", (c for c in SCALARS if accents(chr(c)) == ""))
    text += array("kNonStarterRanges", (c for c in SCALARS if is_non_starter(c)))
    text += array("kPunctuationRanges", (c for c in SCALARS if len(words(f"a{chr(c)}b")) == 3))
    text += array("kIdeographRanges", (c for c in SCALARS if chinese(chr(c)) != chr(c)))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(text + TAIL)


if __name__ == "__main__":
    main()
