"""CPU encoders of other families than the bundle's, beside onnxruntime and transformers; see area_cpu.py."""

import os
import subprocess

import area_cpu
import environment
import figures

# Model of bench/peers/make_family.py → what it encodes.
FAMILIES = {
    "clip_vit_b32": ["image", "text"],
    "vit_b16": ["image"],
    "dinov2_small": ["image"],
    "resnet50": ["image"],
    "qwen3_4_layers": ["text"],
}


def _measure(family, options, folder):
    made = os.path.join(figures.ROOT, "bench", "peers", "make_family.py")
    model = subprocess.run([environment.python(), made, family, "--bundle", options.bundle, "--out", folder],
                           check=True, env=environment.variables(area_cpu.THREADS), stdout=subprocess.PIPE,
                           text=True).stdout.strip()
    found = []
    for modality in FAMILIES[family]:
        print(f"{family}, {modality}", flush=True)
        name = f"cpu.{family}.{modality}"
        commands = area_cpu.commands(modality, model, folder, options.binaries, "transformers")
        found += area_cpu.measure({f"{modality}.b8": name + ".b8", f"{modality}.b1": name + ".b1"},
                                  area_cpu.UNITS[modality], commands, options, folder)
    return found


def run(options, folder):
    """All figures of the area; `folder` is for scratch files."""
    environment.prepare()
    return [figure for family in options.family or FAMILIES
            for figure in _measure(family, options, os.path.join(folder, family))]
