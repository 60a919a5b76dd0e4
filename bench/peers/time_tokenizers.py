"""Times Terminus and the library `tokenizers` on the same mixed lines, on one thread each, in turn.

    time_tokenizers.py TOKENIZER_JSON TOKENIZER_BENCH [LINES] [--rounds N] [--result FILE]

The lines are those of tests/golden/tokenizer/mixed_lines.py, by default 100000. Prints the median times; --result writes
every round's seconds as JSON. Fails where the numbers of tokens differ: whether the ids are the same, common_tokenizer_test
says. make_tokenizers.py makes files of each kind.

The library is called in its fastest way: encode_batch_fast, which notes no offsets, in batches.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests" / "golden" / "tokenizer"))
from mixed_lines import lines  # noqa: E402


def encode(tokenizer, texts):
    """The seconds that encoding took, and the number of tokens."""
    tokens, seconds = 0, 0.0
    for batch in range(0, len(texts), 1000):
        start = time.perf_counter()
        encodings = tokenizer.encode_batch_fast(texts[batch:batch + 1000])
        seconds += time.perf_counter() - start
        tokens += sum(len(encoding.ids) for encoding in encodings)
    return seconds, tokens


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
        command = [arguments.bench, arguments.tokenizer, f"{folder}/texts"]
        for _ in range(arguments.rounds):
            seconds, tokens = encode(theirs, texts)
            their_seconds.append(seconds)
            ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            our_seconds.append(ours["seconds"])
            if ours["tokens"] != tokens:
                sys.exit(f"time_tokenizers: {ours['tokens']} tokens, tokenizers {tokenizers.__version__} has {tokens}")
    our_s, their_s = statistics.median(our_seconds), statistics.median(their_seconds)
    print(f"{len(texts)} lines, {tokens} tokens: ours {our_s:.2f} s, tokenizers {tokenizers.__version__} {their_s:.2f} s, "
          f"ratio {their_s / our_s:.2f}")
    if arguments.result:
        with open(arguments.result, "w") as file:
            json.dump({"version": tokenizers.__version__, "tokens": tokens, "ours_s": our_seconds, "theirs_s": their_seconds}, file)


if __name__ == "__main__":
    main()
