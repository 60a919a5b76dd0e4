"""Builds the demo's picture folder: captioned stamps of Tux Paint and photos of scikit-image.

usage: build_demo.py --wheels FOLDER --stamps FOLDER --out FOLDER

Writes OUT/photos/… and OUT/captions.json, an object of path → English caption.
"""

import argparse
import json
import pathlib
import shutil

from wheel import Wheel, fresh_folder

# Photographs and what looks like them. Left out: cartoons, letters, signs, flags, chess pieces,
# music notes, and pictures whose caption does not say what they show.
STAMP_FOLDERS = ("animals", "clothes", "food", "hobbies", "household", "medical", "military", "people",
                 "plants", "seasonal", "space", "sports", "symbols/money", "town", "vehicles")
LEFT_OUT_FOLDERS = {"00_symbols", "cartoon", "flags", "roadsigns"}
LEFT_OUT_STAMPS = {
    "household/toilet.png", "military/ammunition/old_naval_shell.png", "military/final-roll-call.png",
    "plants/trees/rambutan.png", "vehicles/emergency/sedan_police.png",
}

# Those of scikit-image's photos that state a free licence; README.md lists them.
PHOTOS = {
    "astronaut.png": "A smiling astronaut in an orange space suit.",
    "brick.png": "A brick wall.",
    "camera.png": "A man with a camera on a tripod.",
    "chelsea.png": "A tabby cat.",
    "clock_motion.png": "A blurred wall clock.",
    "coffee.png": "A cup of espresso on a wooden table.",
    "coins.png": "Ancient coins in rows.",
    "grass.png": "Grass.",
    "gravel.png": "Gravel.",
    "hubble_deep_field.jpg": "Galaxies in deep space.",
    "retina.jpg": "The retina of an eye.",
    "rocket.jpg": "A rocket at its launch pad.",
}


def stamp_caption(picture):
    """The English caption, which is the first line of the .txt beside a stamp; None without one."""
    text = picture.with_suffix(".txt")
    if not text.exists():
        return None
    return text.read_text(encoding="utf-8").splitlines()[0].strip() or None


def find_stamps(root):
    """Yields (path below root, caption) of the stamps that the demo shows, in a fixed order."""
    for folder in STAMP_FOLDERS:
        for picture in sorted((root / folder).rglob("*.png")):
            relative = picture.relative_to(root)
            caption = stamp_caption(picture)
            if (caption and not LEFT_OUT_FOLDERS.intersection(relative.parts)
                    and str(relative) not in LEFT_OUT_STAMPS):
                yield relative, caption


def build(wheels, stamps, out):
    """Returns how many pictures it wrote."""
    captions = {}
    for relative, caption in find_stamps(stamps):
        target = out / "photos" / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(stamps / relative, target)
        captions[f"photos/{relative}"] = caption
    archive = Wheel(wheels, "scikit_image-*.whl")
    (out / "photos" / "skimage").mkdir(parents=True)
    for name, caption in PHOTOS.items():
        (out / "photos" / "skimage" / name).write_bytes(archive.read(f"skimage/data/{name}"))
        captions[f"photos/skimage/{name}"] = caption
    text = json.dumps(captions, indent=2, ensure_ascii=False)
    (out / "captions.json").write_text(text + "\n", encoding="utf-8")
    return len(captions)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=pathlib.Path, required=True)
    parser.add_argument("--stamps", type=pathlib.Path, default="/usr/share/tuxpaint/stamps")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    with fresh_folder(arguments.out) as out:
        print(f"  {build(arguments.wheels, arguments.stamps, out)} captioned pictures")


if __name__ == "__main__":
    main()
