#!/usr/bin/env python3
"""Times how long PNG files take to decode, in Terminus and in Pillow, on one thread each, in turn.

usage: time_png.py --program build/release/bin/preprocess_pixels [IMAGES] [--rounds 5]

IMAGES is a folder of real pictures, of which up to 20 are made into PNG; without one, pictures are made up: a smooth one
and a noisy one, of 512 and of 1536 pixels. Each is written as RGB, with transparency, with a palette and in grey.
Prints megapixels a second by kind. Reading files is not counted; both end with RGB pixels.
"""

import argparse
import io
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy
from PIL import Image

MADE_UP = (512, 1536)
KINDS = {"rgb": lambda picture: picture, "rgba": lambda picture: picture.convert("RGBA"),
         "palette": lambda picture: picture.quantize(256), "grey": lambda picture: picture.convert("L")}
CONFIG = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "resample": 2,
          "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
# Each file so often in a round: the clock is coarse beside a small one.
REPEATS = 4


def pictures(folder):
    if folder:
        paths = [path for path in sorted(pathlib.Path(folder).iterdir()) if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")]
        return [Image.open(path).convert("RGB") for path in paths[:20]]
    chance = numpy.random.default_rng(7)
    made = []
    for size in MADE_UP:
        x, y = numpy.meshgrid(numpy.arange(size), numpy.arange(size))
        smooth = numpy.stack([x * 255 // size, y * 255 // size, (x + y) * 255 // (2 * size)], axis=-1).astype(numpy.uint8)
        noisy = (smooth // 2 + chance.integers(0, 128, smooth.shape)).astype(numpy.uint8)
        made += [Image.fromarray(smooth), Image.fromarray(noisy)]
    return made


def ours(program, folder, paths):
    (folder / "list").write_text("".join(f"{path}\n" for path in paths * REPEATS))
    done = subprocess.run([program, str(folder), str(folder / "list"), "/dev/null"], check=True, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    assert lines[:-1] == ["ok"] * (len(paths) * REPEATS), lines[:3]
    return float(lines[-1].split()[1])


def theirs(paths):
    seconds = 0.0
    for path in paths * REPEATS:
        data = path.read_bytes()
        start = time.perf_counter()
        Image.open(io.BytesIO(data)).convert("RGB").load()
        seconds += time.perf_counter() - start
    return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="?")
    parser.add_argument("--program", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    sources = pictures(arguments.images)
    pixels = sum(picture.width * picture.height for picture in sources) * REPEATS / 1e6
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "preprocessor_config.json").write_text(json.dumps(CONFIG))
        for kind, change in KINDS.items():
            paths = []
            for i, picture in enumerate(sources):
                paths.append(folder / f"{kind}{i}.png")
                change(picture).save(paths[-1])
            rounds = [(ours(arguments.program, folder, paths), theirs(paths)) for _ in range(arguments.rounds)]
            mine, pillow = (pixels / statistics.median(one) for one in zip(*rounds))
            print(f"{kind:8} {mine:7.1f} Mpixel/s, Pillow {pillow:7.1f}, ratio {mine / pillow:.2f}")


if __name__ == "__main__":
    main()
