#!/usr/bin/env python3
"""Makes the pictures beside it and what Pillow decodes and resizes them to, as raw PPM.

Run it again only to add a case: it needs Pillow and numpy, and encoders of another version may
write other bytes.
"""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 37, 29
FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
RESIZES = [(16, 16), (61, 11), (20, 90), (37, 10), (10, 29), (150, 7)]
PREPROCESS = [(61, 40), (40, 61), (32, 32), (200, 33), (33, 47)]  # to shortest edge 32, crop 24 x 20


def picture(width, height, seed):
    """Smooth colours, hard edges and noise."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 255 / width, y * 255 / height, 128 + 127 * np.sin(x * y / 40)], -1)
    rgb[height // 3 : height // 2, width // 4 : width // 2] = (255, 0, 0)
    rgb[height // 2 :, width // 2 :] += random.normal(0, 60, rgb[height // 2 :, width // 2 :].shape)
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def with_alpha(image):
    alpha = np.linspace(0, 255, image.width * image.height).reshape(image.height, image.width)
    image = image.copy()
    image.putalpha(Image.fromarray(alpha.astype(np.uint8)))
    return image


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, color, rows, interlace=0):
    """For the kinds that Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def png16(image):
    low = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3))
    wide = (np.asarray(image).astype(np.uint16) << 8 | low.astype(np.uint16)).astype(">u2")
    return png(WIDTH, HEIGHT, 16, 2, b"".join(b"\0" + row.tobytes() for row in wide))


def png_interlaced(image):
    pixels = np.asarray(image)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
              (1, 0, 2, 1)]
    rows = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in passes
                    for row in pixels[y::dy, x::dx])
    return png(WIDTH, HEIGHT, 8, 2, rows, interlace=1)


def riff(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp_animation(frames):
    """Of frames that do not cover the canvas, which Pillow does not write."""
    width, height, left, top = 40, 32, 4, 2
    body = riff(b"VP8X", bytes([0x12, 0, 0, 0, width - 1, 0, 0, height - 1, 0, 0]))
    body += riff(b"ANIM", b"\x10\x20\x30\xff\0\0")
    for frame in frames:
        still = encode(frame, format="WEBP", lossless=True)
        # Offsets are halved; the frame's own chunk follows.
        body += riff(b"ANMF", bytes([left // 2, 0, 0, top // 2, 0, 0, frame.width - 1, 0, 0,
                                     frame.height - 1, 0, 0, 100, 0, 0, 0]) + still[12:])
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def encode(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


def inputs():
    rgb = picture(WIDTH, HEIGHT, 1)
    rgba = with_alpha(rgb)
    palette = rgb.quantize(16)
    yield "rgb.png", encode(rgb, format="PNG")
    yield "rgba.png", encode(rgba, format="PNG")
    yield "grey.png", encode(rgb.convert("L"), format="PNG")
    yield "grey_alpha.png", encode(rgba.convert("LA"), format="PNG")
    yield "bits.png", encode(rgb.convert("1"), format="PNG")
    yield "palette.png", encode(palette, format="PNG")
    yield "palette_transparent.png", encode(palette, format="PNG", transparency=3)
    yield "rgb_transparent.png", encode(rgb, format="PNG", transparency=(255, 0, 0))
    yield "rgb16.png", png16(rgb)
    yield "interlaced.png", png_interlaced(rgb)
    yield "rgb420.jpg", encode(rgb, format="JPEG", quality=85, subsampling=2)
    yield "rgb422.jpg", encode(rgb, format="JPEG", quality=85, subsampling=1)
    yield "rgb444.jpg", encode(rgb, format="JPEG", quality=85, subsampling=0)
    yield "grey.jpg", encode(rgb.convert("L"), format="JPEG", quality=85)
    yield "cmyk.jpg", encode(rgb.convert("CMYK"), format="JPEG", quality=85)
    yield "progressive.jpg", encode(rgb, format="JPEG", quality=85, progressive=True)
    yield "restarts.jpg", encode(rgb, format="JPEG", quality=85, restart_marker_blocks=1)
    wide = np.linspace(0, 1023, WIDTH * HEIGHT).reshape(HEIGHT, WIDTH).astype(np.uint16)
    yield "grey16.png", encode(Image.fromarray(wide), format="PNG")
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees"
    yield "turned.png", encode(rgb, format="PNG", exif=exif)
    yield "turned.jpg", encode(rgb, format="JPEG", quality=85, exif=exif)
    yield "lossy.webp", encode(rgb, format="WEBP", quality=80)
    yield "lossless.webp", encode(rgb, format="WEBP", lossless=True)
    yield "lossy_alpha.webp", encode(rgba, format="WEBP", quality=80)
    yield "lossless_alpha.webp", encode(rgba, format="WEBP", lossless=True)
    yield "metadata.webp", encode(rgb, format="WEBP", quality=80, exif=exif.tobytes())


def decoded(data):
    """Transparency over white; the orientation is ignored."""
    image = Image.open(io.BytesIO(data))
    if image.mode == "I;16":
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        white = Image.new("RGB", image.size, (255, 255, 255))
        image = image.convert("RGBA")
        white.paste(image, mask=image)
        return white
    return image.convert("RGB")


def loaded(data):
    """What transformers.image_utils.load_image() does with a file."""
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")


def preprocessed(image):
    short, long = sorted(image.size)
    long = int(32 * long / short)
    size = (long, 32) if image.width > image.height else (32, long)
    image = image.resize(size, Image.Resampling.BICUBIC)
    left, top = (image.width - 24) // 2, (image.height - 20) // 2
    return image.crop((left, top, left + 24, top + 20))


def main():
    for name, data in inputs():
        (HERE / name).write_bytes(data)
        decoded(data).save(HERE / f"{name}.ppm")
        if loaded(data).tobytes() != decoded(data).tobytes():
            loaded(data).save(HERE / f"{name}.loaded.ppm")
    animation = [picture(16, 16, seed) for seed in (1, 2)]
    for name, data in (
            ("animated.webp", encode(animation[0], format="WEBP", save_all=True,
                                     append_images=animation[1:])),
            ("animated_part.webp", webp_animation([with_alpha(image) for image in animation])),
            ("animated.png", encode(animation[0], format="PNG", save_all=True,
                                    append_images=animation[1:]))):
        (HERE / name).write_bytes(data)
        loaded(data).save(HERE / f"{name}.loaded.ppm")
    source = Image.open(HERE / "rgb.png")
    for name, resample in FILTERS.items():
        for width, height in RESIZES:
            source.resize((width, height), resample).save(
                HERE / f"resize_{name}_{width}x{height}.ppm")
    for width, height in PREPROCESS:
        image = picture(width, height, 5)
        image.save(HERE / f"preprocess_{width}x{height}.png")
        preprocessed(image).save(HERE / f"preprocess_{width}x{height}.ppm")


if __name__ == "__main__":
    main()
