#!/usr/bin/env python3
"""Makes mutations.json: what Pillow makes of the pictures beside it when they are damaged.

usage: make_mutations.py [--count N] [--seed S] [--output FILE]

A case is a picture's name, edits of its bytes, and either a size and a checksum of the pixels that
transformers.image_utils.load_image() has from it with Pillow's own settings, or "error". Edits are
["set", offset, hex], ["insert", offset, hex], ["erase", offset, count] and ["cut", length], applied in
turn. Some are made with the format's structure in mind, the rest at random places. The test
common/media/mutation_test.cc replays the file; with TERMINUS_MEDIA_MUTATIONS it replays another one,
such as a longer run of this script.
"""

import argparse
import io
import json
import pathlib
import random
import struct
import warnings
import zlib

import PIL
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
MOST_PIXELS = 1_000_000
# Where they stand in for names of chunks: some that Pillow reads, critical and ancillary unknown ones.
CHUNKS = [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tRNS", b"PLTE", b"acTL",
          b"fcTL", b"eXIf", b"teXt", b"UNKN", b"unKn", b"IDAT", b"IEND", b"IHDR", b"DDAT", b"bKGD", b"\0\0\0\0"]


def result_of(data):
    """None where the case says nothing: another format, or more pixels than we look at."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data))
            if image.format not in ("PNG", "JPEG", "WEBP", "MPO"):
                return None
            if image.width * image.height > MOST_PIXELS:
                return None
            image = ImageOps.exif_transpose(image).convert("RGB")
    except Exception:  # noqa: BLE001 - of whatever kind, Pillow does not open the file
        return "error"
    return [*image.size, zlib.crc32(image.tobytes())]


def apply(data, edits):
    data = bytearray(data)
    for kind, at, *rest in edits:
        if kind == "set":
            value = bytes.fromhex(rest[0])
            data[at:at + len(value)] = value
        elif kind == "insert":
            data[at:at] = bytes.fromhex(rest[0])
        elif kind == "erase":
            del data[at:at + rest[0]]
        else:
            del data[at:]
    return bytes(data)


def png_chunks(data):
    """Offset, name and length of each chunk."""
    at, chunks = 8, []
    while at + 12 <= len(data):
        length = struct.unpack(">I", data[at:at + 4])[0]
        chunks.append((at, data[at + 4:at + 8], length))
        at += 12 + length
    return chunks


def made_chunk(name, data, right=True):
    checksum = zlib.crc32(name + data) ^ (0 if right else 1)
    return (struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)).hex()


def text_chunks(chance):
    """Contents of chunks that Pillow looks into."""
    packed = zlib.compress(b"text" * 5)
    return chance.choice([
        (b"tEXt", b"key\0value"), (b"tEXt", b"no zero"), (b"zTXt", b"key\0\0" + packed),
        (b"zTXt", b"key\0\1" + packed), (b"zTXt", b"key\0\0broken"), (b"zTXt", b"key"),
        (b"zTXt", b"key\0\0" + zlib.compress(bytes(2 << 20))), (b"iTXt", b"key\0\1\0en\0\0" + packed),
        (b"iTXt", b"key\0\0\0en\0\0text"), (b"iTXt", b"key"),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x tiff:Orientation=\"6\"/>"),
        (b"iCCP", b"name\0\0" + packed), (b"iCCP", b"name\0\1" + packed), (b"iCCP", b"name\0\0broken"),
        (b"iCCP", b"name"), (b"gAMA", b"\0\0"), (b"gAMA", b"\0\1\x86\xa0"), (b"pHYs", bytes(9)),
        (b"pHYs", bytes(8)), (b"sRGB", b""), (b"cHRM", bytes(32)), (b"cHRM", bytes(31)),
        (b"eXIf", b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x05\0\0\0\0\0\0"),
        (b"eXIf", b"no TIFF"), (b"eXIf", b""), (b"acTL", b"\0\0\0\2\0\0\0\0"), (b"acTL", b"\0"),
        (b"tRNS", b""), (b"tRNS", bytes(6)), (b"tRNS", bytes(300)), (b"PLTE", bytes(9)),
        (b"PLTE", bytes(range(256)) * 3), (b"PLTE", bytes(1000)), (b"UNKN", b"?"), (b"unKn", b""),
        (b"fcTL", bytes(26)), (b"fdAT", bytes(8)), (b"IEND", b""), (b"DDAT", b"data")])


def mutate_png(data, chance):
    chunks = png_chunks(data)
    at, name, length = chance.choice(chunks)
    idat = next(c for c in chunks if c[1] == b"IDAT")
    kind = chance.randrange(12)
    if kind == 0:  # No IEND, or a part of it.
        return [["cut", len(data) - chance.randrange(13)]]
    if kind == 1:  # A wrong checksum.
        return [["set", at + 8 + length, "00000000"]]
    if kind == 2:  # A chunk before the image data.
        return [["insert", idat[0], made_chunk(*text_chunks(chance), chance.random() < 0.9)]]
    if kind == 3:  # A chunk behind them.
        end = idat[0] + 12 + idat[2]
        return [["insert", end, made_chunk(*text_chunks(chance), chance.random() < 0.7)]]
    if kind == 4:
        return [["set", at + 4, chance.choice(CHUNKS).hex()]]
    if kind == 5:  # Image data in two chunks, the second perhaps cut off.
        split = chance.randrange(idat[2])
        body = data[idat[0] + 8:idat[0] + 8 + idat[2]]
        halves = made_chunk(b"IDAT", body[:split]) + made_chunk(b"IDAT", body[split:], chance.random() < 0.5)
        edits = [["erase", idat[0], 12 + idat[2]], ["insert", idat[0], halves]]
        if chance.random() < 0.5:
            edits.append(["cut", idat[0] + 12 + idat[2] + chance.randrange(24)])
        return edits
    if kind == 6:  # Other rows: fewer, more, with other filters, broken at the end.
        rows = zlib.decompress(data[idat[0] + 8:idat[0] + 8 + idat[2]])
        rows = bytearray(rows[:chance.choice([len(rows), len(rows) // 2, len(rows) - 3])])
        if rows and chance.random() < 0.5:
            rows[0] = chance.randrange(6)
        rows += bytes(chance.choice([0, 0, 200]))
        body = zlib.compress(bytes(rows), chance.choice([0, 6]))
        body = body[:len(body) - chance.choice([0, 0, 1, 4, 5])]
        if chance.random() < 0.3:
            body = body[:-1] + bytes([body[-1] ^ 1])
        return [["erase", idat[0], 12 + idat[2]], ["insert", idat[0], made_chunk(b"IDAT", body)]]
    if kind == 7:  # The header, with a right checksum.
        header = bytearray(data[16:29])
        header[chance.choice([3, 7, 8, 9, 10, 11, 12])] = chance.choice([0, 1, 2, 3, 4, 6, 8, 16, 37])
        return [["erase", 8, 25], ["insert", 8, made_chunk(b"IHDR", bytes(header))]]
    if kind == 8:
        return [["erase", at, 12 + length]]
    if kind == 9:
        return [["insert", at, data[at:at + 12 + length].hex()]]
    return mutate_bytes(data, chance)


def mutate_bytes(data, chance):
    kind = chance.randrange(6)
    at = chance.randrange(len(data))
    if kind == 0:
        return [["cut", at]]
    if kind == 1:
        return [["erase", at, chance.randrange(1, 9)]]
    if kind == 2:
        return [["insert", at, chance.randbytes(chance.randrange(1, 9)).hex()]]
    if kind == 3:
        return [["insert", len(data), chance.randbytes(chance.randrange(1, 30)).hex()]]
    return [["set", chance.randrange(len(data)), chance.randbytes(1).hex()]
            for _ in range(chance.randrange(1, 4))]


def segment(marker, data):
    return (b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data).hex()


def mutate_jpeg(data, chance):
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"
    segments = [(0xE1, exif), (0xE1, b"Exif\0\0nonsense"), (0xE1, b"Exif\0\0"), (0xFE, b"comment"),
                (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation=\"8\"/>"),
                (0xE0, b"JFIF\0\1\1\1\0\x48\0\x48\0\0"), (0xE0, b"JFIF"), (0xEE, b"Adobe\0\x64\0\0\0\0\0"),
                (0xEE, b"Adobe"), (0xE2, b"ICC_PROFILE\0"), (0xDD, b"\0\1"), (0xDB, b"\0\1\2"), (0xC8, b""),
                (0xED, b"Photoshop 3.0\0008BIM")]
    kind = chance.randrange(8)
    if kind == 0:
        return [["cut", len(data) - chance.randrange(1, 4)]]
    if kind in (1, 2):
        return [["insert", 2, segment(*chance.choice(segments)) * chance.choice([1, 1, 2])]]
    if kind == 3:
        return [["insert", chance.choice([2, len(data) - 2]), chance.choice(["00", "ff", "ffd0", "ff01", "414243"])]]
    if kind == 4:  # Broken coded data.
        start = data.rindex(b"\xff\xda") + 10
        return [["set", chance.randrange(start, len(data) - 2), chance.randbytes(1).hex()]]
    return mutate_bytes(data, chance)


def mutate_webp(data, chance):
    kind = chance.randrange(6)
    if kind == 0:  # The container's length.
        return [["set", 4, struct.pack("<I", max(0, len(data) - 8 + chance.randrange(-9, 9))).hex()]]
    if kind == 1:
        return [["insert", len(data), b"EXIF".hex() + "04000000" + b"MM\0*".hex()]]
    if kind == 2:
        return [["set", chance.randrange(12, min(len(data), 40)), chance.randbytes(1).hex()]]
    return mutate_bytes(data, chance)


MUTATE = {".png": mutate_png, ".jpg": mutate_jpeg, ".webp": mutate_webp}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=900)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--output", default=str(HERE / "mutations.json"))
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    names = sorted(path.name for path in HERE.iterdir()
                   if path.suffix in MUTATE and not path.name.startswith("preprocess"))
    cases = [[name, [], result_of((HERE / name).read_bytes())] for name in names]
    while len(cases) < arguments.count:
        # As many of each format.
        suffix = chance.choice(list(MUTATE))
        name = chance.choice([n for n in names if n.endswith(suffix)])
        data = (HERE / name).read_bytes()
        edits = MUTATE[suffix](data, chance)
        result = result_of(apply(data, edits))
        if result is not None:
            cases.append([name, edits, result])
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    pathlib.Path(arguments.output).write_text(
        f'{{"pillow":"{PIL.__version__}","cases":[\n{lines}\n]}}\n')
    errors = sum(case[2] == "error" for case in cases)
    print(len(cases), "cases,", errors, "errors")


if __name__ == "__main__":
    main()
