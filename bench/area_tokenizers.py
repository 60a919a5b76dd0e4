"""Tokenizers beside the library `tokenizers`: the same texts, one thread each, in turn."""

import json
import os
import subprocess
import sys

import figures

PEERS = os.path.join(figures.ROOT, "bench", "peers")
sys.path.insert(0, PEERS)
import environment  # noqa: E402

# Of a round.
LINES = 2000
# Of what make_tokenizers.py trains, one of each kind; the others differ in details that take no time.
TRAINED = ["small-clip", "small-gemma", "small-llama", "small-unigram-nfkc"]
# Of the bundle: figure → its folder.
OF_BUNDLE = {"word_piece": "text", "byte_level_bpe": "decoder"}


def _vocabularies(options, folder):
    """Name of the figure → tokenizer.json."""
    made = subprocess.run([environment.python(), os.path.join(PEERS, "make_tokenizers.py"), folder,
                           *options.vocabulary], check=True, env=environment.variables(1), stdout=subprocess.PIPE,
                          text=True).stdout.split("\n")
    paths = {os.path.splitext(os.path.basename(path))[0]: path for path in made if path}
    if options.vocabulary:
        return paths
    ours = {name: os.path.join(options.bundle, part, "tokenizer.json") for name, part in OF_BUNDLE.items()}
    return ours | {name: paths[name] for name in TRAINED}


def _measure(name, path, options, folder):
    result = os.path.join(folder, "result.json")
    # Fails when the numbers of tokens differ: then there is no figure.
    subprocess.run([environment.python(), os.path.join(PEERS, "time_tokenizers.py"), path,
                    os.path.join(options.binaries, "tokenizer_bench"), str(LINES), "--rounds", str(options.rounds),
                    "--result", result], check=True, env=environment.variables(1))
    with open(result) as file:
        measured = json.load(file)
    rates = [[measured["tokens"] / seconds for seconds in measured[whose]] for whose in ("ours_s", "theirs_s")]
    return figures.against("cpu.tokenizer." + name.replace("-", "_"), "tokens/s",
                           f"tokenizers {measured['version']}", *rates)


def run(options, folder):
    """All figures of the area; `folder` is for scratch files."""
    environment.prepare()
    return [_measure(name, path, options, folder) for name, path in _vocabularies(options, folder).items()]
