"""What the GPU spends its time on in an encoder's pass: a table for each case, from LibTorch's profiler.

    gpu_kernels.py --binaries FOLDER [CASE ...]

CASE is MODEL:BATCH or MODEL:BATCH:PRECISION, such as vit_l14:256:fp8. Models are those of bench/area_gpu.py. "Between"
is what of the pass's time no kernel ran in.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

import figures
from line_process import LineProcess

sys.path.insert(0, os.path.join(figures.ROOT, "bench", "peers"))
import environment  # noqa: E402

PASSES = 8
CASES = ("vit_l14:256", "vit_l14:1", "vit_b32:256", "vit_b32:1", "clip_text:256", "resnet50:256", "vit_l14:256:fp8")
# What a kernel's name says it is; the first that fits.
KINDS = (("attention", "attention"), ("LayerNorm", "layer norm"), ("patches|Patches", "pixels to patches"),
         ("Activation", "activation"), ("QuickGelu|cutlass.*device_kernel", "product with quick GELU"),
         ("gemm|nvjet|cutlass|splitK|Kernel2", "product"), ("conv|xmma|implicit", "convolution"),
         ("Memcpy|Memset", "copy"))


def kind_of(name):
    for pattern, kind in KINDS:
        if re.search(pattern, name, re.IGNORECASE if pattern == "attention" else 0):
            return kind
    return "other"


def table(case, wall_us, kernels):
    """Lines: time of one pass by kind of kernel, then the kernels that take at least a hundredth."""
    kinds = {}
    for name, count, spent in kernels:
        entry = kinds.setdefault(kind_of(name), [0, 0.0])
        entry[0] += count
        entry[1] += spent
    wall = wall_us / PASSES
    busy = sum(spent for _, spent in kinds.values()) / PASSES
    lines = [f"{case}: {wall:.1f} us a pass"]
    for kind, (count, spent) in sorted(kinds.items(), key=lambda item: -item[1][1]):
        lines.append(f"  {kind:26s} {count / PASSES:7.1f} × {spent / count:9.2f} us = {spent / PASSES:10.1f} us "
                     f"{spent / PASSES / wall:7.1%}")
    lines.append(f"  {'between':26s} {'':30s} {wall - busy:7.1f} us {1 - busy / wall:7.1%}")
    for name, count, spent in kernels:
        if spent / PASSES > 0.01 * wall:
            lines.append(f"    {count / PASSES:6.1f} × {spent / count:9.2f} us  {name[:150]}")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", default=os.path.join(figures.ROOT, "build", "release", "bin"))
    parser.add_argument("case", nargs="*", default=CASES)
    args = parser.parse_args()
    environment.prepare()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([environment.python(), os.path.join(figures.ROOT, "bench", "peers", "make_gpu_models.py"),
                        "--out", folder], check=True)
        for case in args.case:
            model, batch, precision = (case.split(":") + ["bfloat16"])[:3]
            with LineProcess([os.path.join(args.binaries, "gpu_encoder_bench"), "--modality",
                              "text" if "text" in model else "image", "--folder", os.path.join(folder, model),
                              "--inputs", os.path.join(folder, "inputs"), "--precision", precision],
                             log=sys.stderr) as process:
                process.expect("ready", 120)
                process.ask(f"run device {batch} 0.3", "ran")
                wall_us, *rest = process.ask(f"kernels device {batch} {PASSES}", "kernels")
                print("\n".join(table(case, float(wall_us), json.loads(" ".join(rest)))), flush=True)


if __name__ == "__main__":
    main()
