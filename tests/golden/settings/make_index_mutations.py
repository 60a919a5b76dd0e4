#!/usr/bin/env python3
"""Makes index.json beside it: what the reference answers for model.safetensors.index.json, changed.

usage: make_index_mutations.py        (in the reference environment)

The folder is a BERT encoder whose weights lie in two files. runner.py says what a golden has.
"""

import json
import tempfile

import mutations
from runner import (CONFIG, HERE, SERVED, TEXTS, Runner, be_quiet, record, run_changes,
                    sentence_transformer, write, write_folder)

INDEX = "model.safetensors.index.json"
SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
TABLE = "index"
PAIRS = 0


def main():
    be_quiet()
    source = json.loads((SERVED / "bge.json").read_text())
    taken = ["tokenizer.json", "tokenizer_config.json"]
    tensors = source["tensors"]
    half = len(tensors) // 2
    shards = dict(zip(SHARDS, (tensors[:half], tensors[half:])))
    weight_map = {name: shard for shard, listed in shards.items() for name, _ in listed}
    files = {CONFIG: source["config"], INDEX: {"metadata": {"total_size": 1000}, "weight_map": weight_map}}
    contents = {**{name: source["files"][name] for name in taken}, **files}
    # The index counts, so a tensor that it leaves out is not there, and one may not be where it says.
    first = tensors[0][0]
    without = {name: shard for name, shard in weight_map.items() if name != first}
    values = {"weight_map": [{}, without, {**weight_map, first: SHARDS[1]}, {**weight_map, first: "other.safetensors"},
                             None],
              "metadata": [{}, {"total_size": 1}, {"total_parameters": 5, "other": "x"}, None]}
    golden = {"versions": mutations.versions(), "served": "bge", "taken": taken, "files": files, "tensors": shards,
              "texts": TEXTS, "prompted": [], "tables": {TABLE: [INDEX, "any model"]}, "paths": {TABLE: [INDEX]}}
    with tempfile.TemporaryDirectory() as folder:
        write_folder(folder, contents, shards)
        recorder, _ = record(folder, contents, sentence_transformer)
        golden["known"] = {TABLE: dict.fromkeys(sorted(recorder.reads[INDEX]), "read")}
        changes = [(TABLE, key, value) for key in golden["known"][TABLE] for value in values[key]]
        run_changes(golden, Runner(folder, contents, sentence_transformer), changes, PAIRS)
    write(HERE / "index.json", golden)


if __name__ == "__main__":
    main()
