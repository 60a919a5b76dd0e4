"""Tokenizes many made-up lines with Terminus and with the library `tokenizers`, on one thread each.

    tokenizers_compare.py TOKENIZER_JSON TOKENIZER_BENCH [LINES] [--rounds N] [--result FILE]

LINES (default 100000) mix words of several scripts, emoji, code, control characters, digits and very long words,
from a fixed seed; every assigned character comes at least once in 100000 lines, beside a letter, a space and a digit.
Prints how many lines differ, the first few of them, and the times; how many differ once they are decoded again; exit
status 1 if any does. With --rounds both take turns so often; --result writes every round's seconds as JSON.
make_tokenizers.py makes files of each kind.

The library is called in its fastest way: encode_batch_fast, which notes no offsets, in batches.
"""

import argparse
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402

WORDS = """the of and to a in is that it for was on are as with his they at be this from have or by one had not but
what all were when we there can an your which their said if do will each about how up out them then she many some so
these would other into has more her two like him see time could no make than first been its who now people my made over
did down only way find use may water long little very after words called just where most know don't I'll they've it's
Москва река дом зима привет Ελλάδα θάλασσα 東京 北京 猫 犬 漢字かな 서울 고양이 كتاب بيت שלום नमस्ते दुनिया สวัสดี வணக்கம்
café naïve Zürich smörgåsbord Łódź straße İstanbul 😀 👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ ™ © ½ ² Ⅳ ① … — “quoted” ‘x’ ¿Qué? $1,234.56 3.14159 2024-01-01
int main(){return 0;} def f(x): std::vector<int> #include <a.h> foo_bar camelCase a->b && || != == /* */ // {} [] <|x|>
http://example.com/a?b=c&d=e#f user@example.org C:\\path\\file ~/.bashrc --flag=value 0xdeadbeef 1e-10""".split()
CONTROLS = ["\t", "\n", "\r\n", "\x00", "\x07", "\x1b", "\x7f", "\u00a0", "\u2028", "\u200b", "\ufeff", "\u3000", "\u0301"]


def lines(count):
    chance = random.Random(20240611)
    in_turn = itertools.cycle(ASSIGNED)
    for _ in range(count):
        parts = [f"x{c} {c}'{c}1" for c in itertools.islice(in_turn, 3)]
        for _ in range(chance.randrange(1, 24)):
            kind = chance.random()
            if kind < 0.80:
                word = chance.choice(WORDS)
                case = chance.random()
                parts.append(word.upper() if case < 0.05 else word.capitalize() if case < 0.15 else word)
            elif kind < 0.86:
                parts.append(str(chance.randrange(10 ** chance.randrange(1, 12))))
            elif kind < 0.90:
                parts.append(chance.choice(CONTROLS))
            elif kind < 0.94:
                # Any character that Unicode 14 has assigned, surrogates and private use left out.
                parts.append("".join(chance.choice(ASSIGNED) for _ in range(chance.randrange(1, 6))))
            elif kind < 0.97:
                parts.append(" " * chance.randrange(1, 6))
            elif kind < 0.98:
                parts.append("".join(chance.choice("abcdeé中") for _ in range(chance.randrange(50, 900))))
            else:
                parts.append(chance.choice(".,;:!?'\"()-_/\\") * chance.randrange(1, 5))
        yield chance.choice([" ", " ", " ", "", "  "]).join(parts)


def assigned():
    import unicodedata
    return [chr(c) for c in range(0x20, 0x30000)
            if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]


ASSIGNED = assigned()


def encode(tokenizer, texts):
    """The ids of each text, and the seconds that encoding took."""
    ids, seconds = [], 0.0
    for batch in range(0, len(texts), 1000):
        start = time.perf_counter()
        encodings = tokenizer.encode_batch_fast(texts[batch:batch + 1000])
        seconds += time.perf_counter() - start
        ids += [encoding.ids for encoding in encodings]
    return ids, seconds


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizer")
    parser.add_argument("bench")
    parser.add_argument("lines", type=int, nargs="?", default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--result")
    return parser.parse_args()


def main():
    arguments = parse()
    texts = list(lines(arguments.lines))
    theirs = tokenizers.Tokenizer.from_file(arguments.tokenizer)
    theirs.no_truncation()
    theirs.no_padding()
    their_seconds, our_seconds = [], []
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/texts", "w") as file:
            file.writelines(json.dumps(text) + "\n" for text in texts)
        command = [arguments.bench, arguments.tokenizer, f"{folder}/texts", f"{folder}/ids", f"{folder}/decoded"]
        for _ in range(arguments.rounds):
            expected, seconds = encode(theirs, texts)
            their_seconds.append(seconds)
            our_seconds.append(float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
        with open(f"{folder}/ids") as file:
            ours = [json.loads(line) for line in file]
        with open(f"{folder}/decoded") as file:
            decoded = [json.loads(line) for line in file]
    our_s, their_s = statistics.median(our_seconds), statistics.median(their_seconds)
    different = [i for i in range(len(texts)) if ours[i] != expected[i]]
    for i in different[:5]:
        print(repr(texts[i])[:300], "\n  ours  ", ours[i][:40], "\n  theirs", expected[i][:40])
    print(f"{len(texts)} lines, {sum(map(len, expected))} tokens: {len(different)} lines differ; "
          f"ours {our_s:.2f} s, tokenizers {tokenizers.__version__} {their_s:.2f} s, ratio {their_s / our_s:.2f}")
    apart = [i for i in range(len(texts)) if decoded[i] != theirs.decode(ours[i])]
    for i in apart[:5]:
        print(ours[i][:40], "\n  ours  ", repr(decoded[i])[:300], "\n  theirs", repr(theirs.decode(ours[i]))[:300])
    print(f"decoded again: {len(apart)} lines differ")
    if arguments.result:
        with open(arguments.result, "w") as file:
            json.dump({"version": tokenizers.__version__, "tokens": sum(map(len, expected)), "ours_s": our_seconds,
                       "theirs_s": their_seconds}, file)
    sys.exit(1 if different or apart else 0)


if __name__ == "__main__":
    main()
