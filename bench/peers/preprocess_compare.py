#!/usr/bin/env python3
"""Compares the pixels that Terminus gives a model with those of transformers.

usage: preprocess_compare.py --program build/release/bin/preprocess_pixels IMAGES [--count 200]
                             [--processor FOLDER ...]

IMAGES is a folder of real pictures. Those are used as they are, and each is also made into odd
kinds by Pillow: JPEG of three samplings, grey, CMYK, progressive, turned by its Exif orientation;
PNG of odd sizes, grey, grey with alpha, palettes with and without transparency, one bit, 16 bits;
WebP with and without loss and alpha. Every family of image processor below sees all of them, once
through transformers with Pillow and once through preprocess_pixels. Differences are told in grey
levels, 1/255 of a pixel's range; the limit is 1. For comparison it also tells how far transformers'
two backends lie apart, with the same decoded pixels given to both.
"""

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image
from transformers import AutoImageProcessor
from transformers.image_utils import load_image

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
LIMIT = 1.0  # grey levels
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711]}

# As the published folders of each family have them.
FAMILIES = {
    "CLIP ViT-B/32": {"feature_extractor_type": "CLIPFeatureExtractor", "do_center_crop": True,
                      "do_normalize": True, "do_resize": True, "resample": 3, "size": 224,
                      "crop_size": 224, **CLIP},
    "CLIP, crop above its size": {"image_processor_type": "CLIPImageProcessor", "resample": 3,
                                  "size": {"shortest_edge": 160},
                                  "crop_size": {"height": 241, "width": 224}, **CLIP},
    "SigLIP base": {"image_processor_type": "SiglipImageProcessor", "do_rescale": True,
                    "resample": 3, "rescale_factor": 1 / 255,
                    "size": {"height": 224, "width": 224}, **HALF},
    "SigLIP 2 base": {"image_processor_type": "SiglipImageProcessor", "do_rescale": True,
                      "resample": 2, "rescale_factor": 1 / 255,
                      "size": {"height": 256, "width": 256}, **HALF},
    "ViT-B/16": {"feature_extractor_type": "ViTFeatureExtractor", "resample": 2, "size": 224,
                 **HALF},
    "DINOv2": {"image_processor_type": "BitImageProcessor", "do_convert_rgb": True, "resample": 3,
               "size": {"shortest_edge": 256}, "do_center_crop": True,
               "crop_size": {"height": 224, "width": 224}, **IMAGENET},
    "ResNet-50": {"feature_extractor_type": "ConvNextFeatureExtractor", "crop_pct": 0.875,
                  "resample": 3, "size": 224, **IMAGENET},
    "ConvNeXt 384": {"image_processor_type": "ConvNextImageProcessor", "resample": 3,
                     "size": {"shortest_edge": 384}, **IMAGENET},
    "EfficientNet B0": {"image_processor_type": "EfficientNetImageProcessor", "resample": 0,
                        "do_center_crop": False, "include_top": True, "rescale_offset": False,
                        "size": {"height": 224, "width": 224}, **IMAGENET},
    "ViT, Lanczos": {"image_processor_type": "ViTImageProcessor", "resample": 1, "size": 224},
    "ViT, box": {"image_processor_type": "ViTImageProcessor", "resample": 4, "size": 224},
    "ViT, Hamming": {"image_processor_type": "ViTImageProcessor", "resample": 5, "size": 224},
}


def alpha_of(image):
    """A ramp, so that hardly a pixel is opaque."""
    ramp = np.linspace(0, 255, image.width * image.height).reshape(image.height, image.width)
    return Image.fromarray(ramp.astype(np.uint8))


def with_alpha(image):
    image = image.copy()
    image.putalpha(alpha_of(image))
    return image


def odd_size(image, rng):
    return image.crop((0, 0, max(1, image.width - rng.randrange(image.width)),
                       max(1, image.height - rng.randrange(image.height))))


def turned(image, path, rng, **options):
    exif = Image.Exif()
    exif[0x0112] = rng.randrange(1, 9)
    image.save(path, exif=exif, **options)


def grey16(image):
    wide = np.asarray(image.convert("L")).astype(np.uint16) * 3
    return Image.fromarray(wide)


KINDS = {
    "420.jpg": lambda im, path, rng: im.save(path, quality=90, subsampling=2),
    "422.jpg": lambda im, path, rng: im.save(path, quality=80, subsampling=1),
    "444.jpg": lambda im, path, rng: im.save(path, quality=95, subsampling=0),
    "progressive.jpg": lambda im, path, rng: im.save(path, quality=85, progressive=True),
    "grey.jpg": lambda im, path, rng: im.convert("L").save(path, quality=85),
    "cmyk.jpg": lambda im, path, rng: im.convert("CMYK").save(path, quality=90),
    "turned.jpg": lambda im, path, rng: turned(im, path, rng, quality=90),
    "turned.png": lambda im, path, rng: turned(im, path, rng),
    "turned.webp": lambda im, path, rng: turned(im, path, rng, quality=80),
    "odd.png": lambda im, path, rng: odd_size(im, rng).save(path),
    "odd.jpg": lambda im, path, rng: odd_size(im, rng).save(path, quality=90),
    "grey.png": lambda im, path, rng: im.convert("L").save(path),
    "one_bit.png": lambda im, path, rng: im.convert("1").save(path),
    "grey16.png": lambda im, path, rng: grey16(im).save(path),
    "alpha.png": lambda im, path, rng: with_alpha(im).save(path),
    "grey_alpha.png": lambda im, path, rng: with_alpha(im).convert("LA").save(path),
    "palette.png": lambda im, path, rng: im.quantize(200).save(path),
    "palette_alpha.png": lambda im, path, rng: im.quantize(16).save(path, transparency=3),
    "color_key.png": lambda im, path, rng: im.save(path, transparency=im.getpixel((0, 0))),
    "lossy.webp": lambda im, path, rng: im.save(path, quality=80),
    "lossless.webp": lambda im, path, rng: im.save(path, lossless=True),
    "alpha.webp": lambda im, path, rng: with_alpha(im).save(path, quality=80),
    "alpha_lossless.webp": lambda im, path, rng: with_alpha(im).save(path, lossless=True),
}


def pictures(folder, count, into):
    """(kind, path) of `count` real pictures and of what is made of them, a kind or two of each."""
    rng = random.Random(7)
    paths = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in SUFFIXES)
    rng.shuffle(paths)
    kinds = list(KINDS)
    for i, path in enumerate(paths[:count]):
        yield "as it is", path
        source = load_image(str(path))
        source.info.clear()  # Or its transparency would come along.
        for k in (2 * i, 2 * i + 1):
            kind = kinds[k % len(kinds)]
            made = into / f"{i}_{kind}"
            KINDS[kind](source, made, rng)
            yield kind, made


def ours(program, folder, paths, shape):
    """The pixels of each picture, and the program's line about its time."""
    listing, out = folder / "list", folder / "pixels"
    listing.write_text("".join(f"{path}\n" for path in paths))
    run = subprocess.run([program, folder, listing, out], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{program}: {run.stderr}")
    *lines, spent = run.stdout.splitlines()
    bad = [f"{path}: {line}" for path, line in zip(paths, lines) if line != "ok"]
    if bad:
        sys.exit("refused: " + "; ".join(bad))
    return np.fromfile(out, np.float32).reshape(len(paths), *shape), spent


def grey_levels(difference, processor):
    """From the model's numbers back to 1/255 of a pixel's range. [height, width, 3]"""
    scale = np.ones(3)
    if processor.do_normalize:
        scale = scale * np.broadcast_to(processor.image_std, 3)
    if getattr(processor, "include_top", False):
        scale = scale * np.broadcast_to(processor.image_std, 3)
    factor = processor.rescale_factor if processor.do_rescale else 1
    return np.abs(difference) * scale / factor


def compare(name, config, items, program):
    worst = collections.Counter()
    differing = beyond = values = 0
    backend_worst, backend_beyond = 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(config))
        pillow = AutoImageProcessor.from_pretrained(folder, backend="pil")
        torchvision = AutoImageProcessor.from_pretrained(folder, backend="torchvision")
        default = type(AutoImageProcessor.from_pretrained(folder)).__name__
        first = pillow(str(items[0][1]), return_tensors="np")["pixel_values"][0]
        shape = (first.shape[1], first.shape[2], 3)
        made, spent = ours(program, folder, [path for _, path in items], shape)
        for (kind, path), mine in zip(items, made):
            theirs = np.moveaxis(pillow(str(path), return_tensors="np")["pixel_values"][0], 0, -1)
            levels = grey_levels(mine - theirs, pillow)
            worst[kind] = max(worst[kind], float(levels.max()))
            differing += int((levels > 0.01).sum())
            beyond += int((levels > LIMIT + 0.01).sum())
            values += levels.size
            # torchvision 0.26 knows neither box nor Hamming for tensors.
            if config.get("resample") not in (4, 5):
                fast = torchvision(load_image(str(path)), return_tensors="np")["pixel_values"][0]
                apart = grey_levels(np.moveaxis(fast, 0, -1) - theirs, pillow)
                backend_worst = max(backend_worst, float(apart.max()))
                backend_beyond += int((apart > LIMIT + 0.01).sum())
    odd = {kind: round(value, 3) for kind, value in worst.items() if value > 0.01}
    print(f"{name}: {len(items)} pictures, {values} values: largest difference "
          f"{max(worst.values()):.3f} of 255, {differing} values differ, {beyond} by more than 1; "
          f"by kind {odd or 'all 0'}; {spent}",
          flush=True)
    print(f"    AutoImageProcessor gives {default}; its torchvision backend lies up to "
          f"{backend_worst:.1f} from Pillow's, {backend_beyond} values by more than 1")
    return beyond == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images")
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=200, help="real pictures")
    parser.add_argument("--only", help="families whose name contains this")
    parser.add_argument("--processor", nargs="*", default=[],
                        help="folders with a preprocessor_config.json, instead of those known")
    options = parser.parse_args()
    families = {path: json.loads(pathlib.Path(path, "preprocessor_config.json").read_text())
                for path in options.processor} or FAMILIES
    with tempfile.TemporaryDirectory() as folder:
        items = list(pictures(options.images, options.count, pathlib.Path(folder)))
        print(f"{options.count} real pictures, {len(items)} with the kinds made of them")
        good = [compare(name, config, items, options.program)
                for name, config in families.items() if (options.only or "") in name]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
