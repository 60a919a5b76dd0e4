"""CPU encoders beside onnxruntime and PyTorch: same weights, inputs and thread count, interleaved in one run."""

import array
import contextlib
import os
import subprocess
import sys
import time

import figures
from line_process import LineProcess

sys.path.insert(0, os.path.join(figures.ROOT, "bench", "peers"))
import environment  # noqa: E402

THREADS = 2
# Below this the peer computes something else than we do, and its speed says nothing.
LEAST_COSINE = 0.9999
# Case → the figure it makes. The first of a modality is the one the goals name.
FIGURES = {
    "text": {"text.b32": "cpu.text_encoder", "text.b1": "cpu.text_encoder.b1"},
    "image": {"image.b16": "cpu.image_encoder", "image.b8": "cpu.image_encoder.b8",
              "image.b1": "cpu.image_encoder.b1"},
}
UNITS = {"text": "texts/s", "image": "images/s"}
# Long enough for the threads of the last contender to stop spinning for more work.
PAUSE_S = 0.1


def commands(modality, bundle, inputs, binaries, eager):
    """Contender → what starts it. `eager` is the library that the eager peer is of."""
    common = ["--modality", modality, "--bundle", bundle, "--inputs", inputs, "--threads", str(THREADS)]
    peer = [environment.python(), os.path.join(figures.ROOT, "bench", "peers", "encoders.py")]
    return {
        "terminus": [os.path.join(binaries, "encoder_bench"), *common],
        "onnxruntime": [*peer, "--engine", "onnxruntime", *common],
        eager: [*peer, "--engine", "torch", *common],
    }


def _check_agreement(contenders, case, folder):
    """Refuses the figure unless every contender's vectors are ours."""
    vectors = {}
    for name, process in contenders.items():
        path = os.path.join(folder, name + ".f32")
        rows, columns = map(int, process.ask(f"outputs {case} {path}", "wrote"))
        vectors[name] = array.array("f")
        with open(path, "rb") as file:
            vectors[name].fromfile(file, rows * columns)
    for name in vectors:
        cosine = figures.smallest_cosine(vectors["terminus"], vectors[name], columns)
        if cosine < LEAST_COSINE:
            raise RuntimeError(f"{case}: cosine {cosine:.6f} between our vectors and {name}'s, at least {LEAST_COSINE}"
                               " wanted: no figure")


def _rounds(contenders, case, options):
    """Contender → its items a second in each round. Each round asks all, starting with another one."""
    names = list(contenders)
    for name in names:
        contenders[name].ask(f"run {case} {options.burst_s}", "ran")
    rates = {name: [] for name in names}
    for turn in range(options.rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(PAUSE_S)
            items, seconds = contenders[name].ask(f"run {case} {options.burst_s}", "ran")
            rates[name].append(int(items) / float(seconds))
    return rates


def measure(cases, unit, started, options, folder):
    """The figures of `cases`, case → name, of contenders by what starts them."""
    made = []
    with contextlib.ExitStack() as stack:
        contenders = {name: stack.enter_context(LineProcess(command, environment.variables(THREADS), sys.stderr))
                      for name, command in started.items()}
        for name, process in contenders.items():
            print("  ready:", name, *process.expect("ready", 300), flush=True)
        for case, name in cases.items():
            _check_agreement(contenders, case, folder)
            rates = _rounds(contenders, case, options)
            made += [figures.against(name, unit, peer, rates["terminus"], rates[peer])
                     for peer in rates if peer != "terminus"]
    return made


def run(options, folder):
    """All figures of the area; `folder` is for scratch files."""
    environment.prepare()
    subprocess.run([environment.python(), os.path.join(figures.ROOT, "bench", "peers", "make_inputs.py"),
                    "--bundle", options.bundle, "--out", folder], check=True, env=environment.variables(THREADS))
    made = []
    for modality, cases in FIGURES.items():
        eager = "timm" if modality == "image" else "transformers"
        made += measure(cases, UNITS[modality], commands(modality, options.bundle, folder, options.binaries, eager),
                        options, folder)
    return made
