"""The language model on the CPU beside llama.cpp and transformers: same weights, prompts and thread count,
interleaved in one run."""

import contextlib
import os
import subprocess
import sys
import time

import figures
from area_cpu import PAUSE_S, THREADS
from line_process import LineProcess

sys.path.insert(0, os.path.join(figures.ROOT, "bench", "peers"))
import environment  # noqa: E402

# Tokens that follow each prompt of 64, or as many as these seconds allow.
TOKENS = 128
LIMIT_S = 5
# Of each sequence, that are compared.
COMPARED = 32
TIMEOUT_S = 300
BATCHES = (1, 8)
# Of the first new tokens' logits. Peers that compute in bfloat16 lose some digits; what computes something else is
# far below.
LEAST_COSINE = 0.999
PEERS = ("llama.cpp", "transformers", "transformers-float32")


def _commands(options, inputs):
    common = ["--bundle", options.bundle, "--inputs", inputs, "--threads", str(THREADS)]
    peer = [environment.python(), os.path.join(figures.ROOT, "bench", "peers", "decoders.py")]
    return {"terminus": [os.path.join(options.binaries, "decode_bench"), *common],
            **{name: [*peer, "--engine", name, *common] for name in PEERS}}


def _equal_tokens(ours, theirs):
    """Of each sequence, how many tokens are equal before the first that is not."""
    counts = []
    for start in range(0, len(ours), COMPARED):
        pairs = list(zip(ours[start:start + COMPARED], theirs[start:start + COMPARED]))
        counts.append(next((i for i, (a, b) in enumerate(pairs) if a != b), COMPARED))
    return counts


def _check_agreement(contenders, folder):
    """Refuses the figures unless every contender's logits are ours, and says how long the tokens are equal."""
    tokens = {name: process.ask(f"tokens {BATCHES[-1]} {COMPARED}", "made", TIMEOUT_S)
              for name, process in contenders.items()}
    paths = {name: os.path.join(folder, name + ".f32") for name in contenders}
    for name, process in contenders.items():
        process.ask(f"outputs {BATCHES[-1]} {paths[name]}", "wrote", TIMEOUT_S)
    for name in PEERS:
        out = subprocess.run([environment.python(), os.path.join(figures.ROOT, "bench", "peers", "cosine.py"),
                              paths["terminus"], paths[name], str(BATCHES[-1])],
                             check=True, capture_output=True, text=True).stdout
        if not float(out) >= LEAST_COSINE:
            raise RuntimeError(f"cosine {out.strip()} between our logits and {name}'s, at least {LEAST_COSINE} wanted:"
                               " no figure")
        print(f"  {name}: logits' cosine {float(out):.6f}; of {COMPARED} tokens of each sequence equal:",
              *_equal_tokens(tokens["terminus"], tokens[name]), flush=True)


def _rounds(contenders, batch, rounds):
    """Contender → its (decoded, prompt) tokens a second in each round. Each round asks all, starting with another."""
    names = list(contenders)
    rates = {name: [] for name in names}
    for turn in range(-1, rounds):  # The first warms up.
        first = max(turn, 0) % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE_S)
            decoded, decode_s, prompt, prompt_s = contenders[name].ask(f"run {batch} {TOKENS} {LIMIT_S}", "ran",
                                                                       TIMEOUT_S)
            if turn >= 0:
                rates[name].append((int(decoded) / float(decode_s), int(prompt) / float(prompt_s)))
    return rates


def _figures(batch, rates):
    made = []
    for column, what in enumerate(("decode", "prefill")):
        ours = [rate[column] for rate in rates["terminus"]]
        made += [figures.against(f"cpu.{what}.b{batch}", "tokens/s", peer, ours, [rate[column] for rate in rates[peer]])
                 for peer in PEERS]
    return made


def run(options, folder):
    """All figures of the area; `folder` is for scratch files."""
    environment.prepare()
    subprocess.run([environment.python(), os.path.join(figures.ROOT, "bench", "peers", "make_prompts.py"),
                    "--bundle", options.bundle, "--out", folder], check=True, env=environment.variables(THREADS))
    made = []
    with contextlib.ExitStack() as stack:
        contenders = {name: stack.enter_context(LineProcess(command, environment.variables(THREADS), sys.stderr))
                      for name, command in _commands(options, folder).items()}
        for name, process in contenders.items():
            print("  ready:", name, *process.expect("ready", 300), flush=True)
        _check_agreement(contenders, folder)
        for batch in BATCHES:
            made += _figures(batch, _rounds(contenders, batch, options.rounds))
    return made
