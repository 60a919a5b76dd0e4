"""The part of the area gpu that loads a language model: ours beside transformers, from the page cache."""

import array
import json
import os
import subprocess
import time

import figures

NAME = "gpu.load_8b"
# Between the logits of both, each computed in bfloat16.
LEAST_COSINE = 0.99
MOST_ROUNDS = 3


def warm(folder):
    """Brings the weight files into the page cache."""
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            with open(os.path.join(folder, name), "rb", buffering=0) as file:
                buffer = bytearray(64 << 20)
                while file.readinto(buffer):
                    pass


def ask(command):
    """What a contender says of its loading, with the wall time of its whole process."""
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1]) | {"process_s": time.monotonic() - start}


def check_agreement(ours, theirs):
    """Both models are the same: their logits say so."""
    logits = []
    for path in (ours, theirs):
        logits.append(array.array("f"))
        with open(path, "rb") as file:
            logits[-1].frombytes(file.read())
    cosine = figures.smallest_cosine(*logits, len(logits[0]))
    print(f"  {NAME}: cosine of the logits {cosine:.6f}", flush=True)
    if cosine < LEAST_COSINE:
        raise RuntimeError(f"{NAME}: cosine {cosine:.6f} of the logits, at least {LEAST_COSINE} wanted: no figure")


def run(options, folder, python, peers):
    """The figures; `python` runs the scripts in `peers`."""
    model = options.llama_8b or os.path.join(folder, "llama_8b")
    if not os.path.exists(os.path.join(model, "bundle.yaml")):
        start = time.monotonic()
        subprocess.run([python, os.path.join(peers, "make_llama_8b.py"), "--out", model], check=True)
        print(f"  {NAME}: {model} is made, {time.monotonic() - start:.0f} s", flush=True)
    warm(model)
    commands = {"ours": [os.path.join(options.binaries, "load_bench"), "--folder", model],
                "theirs": [python, os.path.join(peers, "load_transformers.py"), "--folder", model]}
    logits = {who: os.path.join(folder, f"logits-{who}") for who in commands}
    said = {who: [] for who in commands}
    for turn in range(min(options.rounds, MOST_ROUNDS)):
        for who in sorted(commands, reverse=turn % 2 == 1):
            # The first round's logits are compared; they are made after the time is taken.
            extra = ["--logits", logits[who]] if turn == 0 else []
            said[who].append(ask(commands[who] + extra))
            print(f"  {NAME} {who}: {said[who][-1]}", flush=True)
    check_agreement(logits["ours"], logits["theirs"])
    peer = f"transformers from_pretrained, {said['theirs'][0]['how']}"

    def figure(name, unit, value):
        return figures.against(name, unit, peer, [value(each) for each in said["ours"]],
                               [value(each) for each in said["theirs"]], lower_is_better=True)

    return [figure(NAME, "s", lambda each: each["seconds"]),
            figure(f"{NAME}.process_s", "s", lambda each: each["process_s"]),
            figure(f"{NAME}.host_mib", "MiB", lambda each: max(each["peak_mib"] - each["idle_mib"], 1)),
            figures.alone(f"{NAME}.gib_per_s", "GiB/s", [each["gib_per_s"] for each in said["ours"]])]
