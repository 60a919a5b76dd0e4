#!/usr/bin/env python3
"""Makes the golden of mixed lines (mixed_lines.py), or a differential run, with the library "tokenizers".

usage: make_mixed_goldens.py                                  writes mixed_lines.jsonl beside this script
       make_mixed_goldens.py FILE LINES [TOKENIZER_JSON...]   of so many lines, with these tokenizers too

The first line of the file lists the tokenizers: the files of this folder, the variants of kinds.json, and paths. Each
other line has a text, and for each tokenizer a hash of its ids and one of the text that these stand for. To compare:

    make_mixed_goldens.py /tmp/lines.jsonl 20000
    TERMINUS_MIXED_LINES=/tmp/lines.jsonl common_tokenizer_test --gtest_filter=MixedLines*
"""

import json
import pathlib
import sys

import tokenizers

from make_goldens import fnv1a
from make_kind_goldens import change
from mixed_lines import lines

HERE = pathlib.Path(__file__).parent
OF_FOLDER = ["tokenizer.json", "bpe.json"]
LINES = 240


def load(name):
    kinds = json.loads((HERE / "kinds.json").read_text(encoding="utf-8"))
    if name in kinds:
        file, patch = kinds[name]
        document = json.dumps(change(json.loads((HERE / file).read_text(encoding="utf-8")), patch))
    else:
        document = pathlib.Path(HERE, name).read_text(encoding="utf-8")  # an absolute path stays as it is
    made = tokenizers.Tokenizer.from_str(document)
    made.no_truncation()
    made.no_padding()
    return made


def hashed(text):
    return f"{fnv1a(text.encode()) >> 32:08x}"


def main():
    target, count, more = HERE / "mixed_lines.jsonl", LINES, []
    if len(sys.argv) > 2:
        target, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
        more = [str(pathlib.Path(path).resolve()) for path in sys.argv[3:]]
    names = OF_FOLDER + list(json.loads((HERE / "kinds.json").read_text(encoding="utf-8"))) + more
    made = [load(name) for name in names]
    with open(target, "w", encoding="utf-8") as file:
        file.write(json.dumps({"version": tokenizers.__version__, "tokenizers": names}) + "\n")
        for text in lines(count):
            ids = [tokenizer.encode(text).ids for tokenizer in made]
            texts = [tokenizer.decode(some) if some else "" for tokenizer, some in zip(made, ids)]
            line = {"text": text, "ids": [hashed(" ".join(map(str, some))) for some in ids], "texts": [hashed(one) for one in texts]}
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
