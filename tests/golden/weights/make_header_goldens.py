#!/usr/bin/env python3
"""Makes safetensors files with mutated headers, and notes what the library "safetensors" makes of each.

usage: make_header_goldens.py [--cases N] [--seed S] [--out FILE]        (needs safetensors)

Without arguments it renews headers.jsonl beside it, which common_weights_test replays. For a longer run, write
thousands of cases to a file of your own and name it in TERMINUS_HEADER_CASES when the test runs.

A case a line: "header" is the text in base64; "length" is the header's length as the file says it; "data" is the
number of bytes behind the header, all zero; "tensors" is null where the library refuses the file, else a list of
[name, dtype, shape, bytes] in the order of the names.
"""

import argparse
import base64
import copy
import json
import pathlib
import random
import struct

import safetensors

HERE = pathlib.Path(__file__).parent
SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "F8_E8M0": 1,
         "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8}
NAMES = ["a", "b", "layer.0.weight", "é", "日本", "", " ", "a b", "\"", "\\", "__metadata", "x" * 80]
VALUES = [None, True, 0, 1, -1, 2.0, 1.5, "1", "", "F32", "f32", "F4", "F6_E2M3", "X", [], {}, [0], [1, 2], [0, 4, 4],
          {"F32": None}, ["F32", [1], [0, 4]], 2**31, 2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -2**63, 10**30]
TEXTS = ["\ufeff", "\x00", " ", "\n", "\t", "\r", "\f", "\v", "\u00a0", "/**/", "//\n", "#", ",", ":", "{", "}", "[", "]",
         '"', "null", "NaN", "Infinity", "1e999", "1e-999", "-0", "0.0", "01", "+1", "1e2", "\\u0061", "\\ud800", "\\udc00",
         "\\ud83d\\ude00", "\\x", "\x1f", "\x7f", "\uffff", "'"]
BYTES = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"]


def any_value(rng, more=()):
    return copy.deepcopy(rng.choice([*VALUES, *more]))


def product(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def make_header(rng):
    """A good header as a list of (name, entry), and the number of bytes behind it."""
    entries, offset = [], 0
    for name in rng.sample(NAMES, rng.randint(0, 4)):
        dtype = rng.choice(list(SIZES))
        shape = [rng.choice([0, 1, 1, 2, 3]) for _ in range(rng.randint(0, 3))]
        size = product(shape) * SIZES[dtype]
        entries.append([name, {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}])
        offset += size
    rng.shuffle(entries)
    if rng.random() < 0.4:
        metadata = rng.choice([{"format": "pt"}, {}, None, {"a": "b", "c": ""}, {"n": 1}, {"n": None}, [], "pt"])
        entries.insert(rng.randint(0, len(entries)), ["__metadata__", metadata])
    return entries, offset


def mutate_value(rng, entries):
    """Replaces, adds or removes a value somewhere inside."""
    if not entries:
        entries.append([rng.choice(NAMES), any_value(rng)])
        return
    entry = rng.choice(entries)
    if not isinstance(entry[1], dict) or rng.random() < 0.1:
        entry[1] = any_value(rng)
        return
    key = rng.choice(["dtype", "shape", "data_offsets", "extra"])
    inner = entry[1].get(key)
    kind = rng.random()
    if kind < 0.25:
        entry[1].pop(key, None)
    elif isinstance(inner, list) and kind < 0.8:
        if inner and kind < 0.6:
            at = rng.randrange(len(inner))
            near = inner[at] if isinstance(inner[at], int) else 0
            inner[at] = any_value(rng, [near + 1, max(0, near - 1), near + 8, near] * 4)
        else:
            inner.insert(rng.randint(0, len(inner)), rng.choice([0, 1, 1, 1, 2**32, 2**62, None]))
            if kind > 0.77:
                inner.extend([1] * 20)
    else:
        entry[1][key] = any_value(rng)


def mutate_entries(rng, entries, offset):
    kind = rng.randrange(6)
    tensors = [entry for entry in entries if entry[0] != "__metadata__" and isinstance(entry[1], dict)]
    if kind == 0 and tensors:  # A tensor without elements at a place of its own.
        at = rng.randint(0, offset)
        entries.append(["none", {"dtype": "F32", "shape": [0, 2**62], "data_offsets": [at, at]}])
    elif kind == 1 and tensors:  # Another name for the same bytes.
        entries.append(["again", copy.deepcopy(rng.choice(tensors)[1])])
    elif kind == 2 and entries:  # A name given twice.
        entries.append(copy.deepcopy(rng.choice(entries)))
    elif kind == 3 and tensors:  # A gap, or an overlap.
        entry = rng.choice(tensors)[1]
        offsets = entry.get("data_offsets")
        if isinstance(offsets, list) and all(isinstance(value, int) for value in offsets):
            by = rng.choice([-1, 1, 8])
            entry["data_offsets"] = [value + by for value in offsets]
    elif kind == 4 and tensors:
        tensors[0][1]["shape"] = rng.choice([[2**32, 2**32], [2**62, 8, 0], [0, 2**62, 8], [1] * 17, [2**63, 0], [2**63]])
    else:
        mutate_value(rng, entries)


def dump_entry(rng, entry):
    name, value = json.dumps(entry[0], ensure_ascii=rng.random() < 0.5), entry[1]
    if isinstance(value, dict) and value and rng.random() < 0.03:  # A field given twice.
        twice = rng.choice(list(value))
        fields = [f"{json.dumps(key)}:{json.dumps(inner)}" for key, inner in value.items()]
        fields.append(f"{json.dumps(twice)}:{json.dumps(value[twice])}")
        return name + ":{" + ",".join(fields) + "}"
    if isinstance(value, dict) and rng.random() < 0.03:  # Deep, in a field that nobody reads.
        depth = rng.choice([2, 124, 125, 126, 127, 200])
        value = value | {"deep": "@"}
        return name + ":" + json.dumps(value).replace('"@"', "[" * depth + "]" * depth)
    return name + ":" + json.dumps(value, ensure_ascii=rng.random() < 0.5)


def mutate_text(rng, text):
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(rng.randint(1, 2)):
        at = rng.randint(0, len(data))
        kind = rng.random()
        if kind < 0.2:
            data[at:at + 1] = b""
        elif kind < 0.4:
            data[at:at + 1] = bytes([rng.randrange(256)])
        elif kind < 0.5:
            data[at:at] = rng.choice(BYTES)
        else:
            at = rng.choice([0, len(data), at])
            data[at:at] = rng.choice(TEXTS).encode("utf-8")
    return bytes(data)


def make_case(rng):
    entries, offset = make_header(rng)
    data = offset
    mutations = rng.choice([0, 0, 1, 1, 2])
    for _ in range(mutations):
        mutate_entries(rng, entries, offset)
    text = "{" + ",".join(dump_entry(rng, entry) for entry in entries) + "}"
    if rng.random() < 0.3:
        text += " " * rng.randint(0, 9)
    header = mutate_text(rng, text) if rng.random() < 0.25 else text.encode()
    if rng.random() < 0.15:
        data = max(0, data + rng.choice([-8, -1, 1, 2, 8]))
    length = len(header)
    if rng.random() < 0.05:
        length = rng.choice([0, max(0, length - 1), length + 1, length + data, 100_000_001, 2**63, 2**64 - 1])
    return header, length, data


def judge(header, length, data):
    try:
        tensors = safetensors.deserialize(struct.pack("<Q", length) + header + bytes(data))
    except (safetensors.SafetensorError, OverflowError, ValueError):
        return None
    return sorted([name, tensor["dtype"], list(tensor["shape"]), len(tensor["data"])] for name, tensor in tensors)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "headers.jsonl")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    good = 0
    with open(arguments.out, "w") as out:
        out.write(json.dumps({"safetensors": safetensors.__version__, "seed": arguments.seed}) + "\n")
        for _ in range(arguments.cases):
            header, length, data = make_case(rng)
            tensors = judge(header, length, data)
            good += tensors is not None
            out.write(json.dumps({"header": base64.b64encode(header).decode(), "length": length, "data": data,
                                  "tensors": tensors}, ensure_ascii=False) + "\n")
    print(f"{arguments.out}: {arguments.cases} files, {good} of them good, {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
