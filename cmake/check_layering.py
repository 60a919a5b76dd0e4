#!/usr/bin/env python3
"""Checks that #include edges between folders point one way only.

usage: check_layering.py ROOT

Three rules, over every C++ and CUDA file of the tree:
1. A file may include only folders of its own layer or of one further left (LAYERS).
2. Within a layer, folders form no circle; services never include each other.
3. Some folders never see some headers (FORBIDDEN), such as gRPC in common/batching.
"""

import collections
import pathlib
import re
import sys

LAYERS = [
    ["proto", "common/base"],
    ["common"],
    ["models"],
    ["train"],
    ["compress"],
    ["services"],
    ["tools", "bench"],
    ["tests"],
]

TORCH = r"(ATen|torch|c10)/"
WIRE = r"(grpc|grpcpp|google/protobuf|google/rpc|proto/|terminus/v1)"
FORBIDDEN = {
    "common/batching": [TORCH, WIRE],
    "common/collective": [TORCH, WIRE],
    "common/gpu": [TORCH, WIRE],
    "common/grammar": [TORCH, WIRE],
    "common/media": [TORCH, WIRE],
    "common/tokenizer": [TORCH, WIRE],
    "common/weights": [TORCH, WIRE],
    "common/executor": [WIRE],
    "common/base": [TORCH, WIRE],
    "models": [WIRE],
    "models/parallel": [TORCH],
    "models/sampling": [TORCH, WIRE],
    "services/router": [TORCH],
    "services/decoder": [TORCH],
    "services/decoder/cache": [WIRE],
    "services/decoder/pipeline": [WIRE],
    "services/decoder/scheduler": [WIRE],
    "tools/cli": [TORCH],
}

SUFFIXES = {".h", ".cc", ".cu", ".cuh"}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def layer_of(path):
    """Index of the layer that a path relative to the root belongs to, or None."""
    best = None
    for index, prefixes in enumerate(LAYERS):
        for prefix in prefixes:
            if path == prefix or path.startswith(prefix + "/"):
                if best is None or len(prefix) > best[0]:
                    best = (len(prefix), index)
    return None if best is None else best[1]


def folder_of(path):
    """The folder that counts as one unit: the first two components, such as common/rpc."""
    return "/".join(path.split("/")[:2])


def read_edges(root):
    """Yields (file, line number, included path) of the files in the known layers."""
    for top in sorted({prefix.split("/")[0] for layer in LAYERS for prefix in layer}):
        for file in sorted((root / top).rglob("*")):
            if file.suffix in SUFFIXES:
                text = file.read_text(encoding="utf-8", errors="replace")
                for number, line in enumerate(text.splitlines(), 1):
                    match = INCLUDE.match(line)
                    if match:
                        yield file.relative_to(root).as_posix(), number, match.group(1)


def find_circle(graph):
    """Returns one circle as a list of folders, or None."""
    state = {}

    def visit(node, path):
        state[node] = "open"
        for next_node in sorted(graph[node]):
            if state.get(next_node) == "open":
                return path[path.index(next_node):] + [next_node] if next_node in path else None
            if next_node not in state:
                circle = visit(next_node, path + [next_node])
                if circle:
                    return circle
        state[node] = "done"
        return None

    for node in sorted(graph):
        if node not in state:
            circle = visit(node, [node])
            if circle:
                return circle
    return None


def check(root):
    """Returns the list of violations, each a line for a person."""
    errors = []
    graph = collections.defaultdict(set)
    for file, number, included in read_edges(root):
        where = f"{file}:{number}"
        for folder, patterns in FORBIDDEN.items():
            if file.startswith(folder + "/"):
                for pattern in patterns:
                    if re.match(pattern, included):
                        errors.append(f"{where}: {folder} must not include {included}")
        target_layer = layer_of(included)
        if target_layer is None or not (root / included).exists():
            continue
        if target_layer > layer_of(file):
            errors.append(f"{where}: {folder_of(file)} must not include {included}, further right")
        source, target = folder_of(file), folder_of(included)
        if source == target:
            continue
        if source.startswith("services/") and target.startswith("services/"):
            errors.append(f"{where}: services meet in proto, not in {included}")
        if not file.startswith("tests/"):
            graph[source].add(target)
    circle = find_circle(graph)
    if circle:
        errors.append("folders include each other in a circle: " + " -> ".join(circle))
    return errors


def main():
    errors = check(pathlib.Path(sys.argv[1]))
    for error in errors:
        print(error)
    print(f"{len(errors)} layering violations")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
