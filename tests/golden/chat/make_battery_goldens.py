#!/usr/bin/env python3
"""Renders the snippets of battery/ with the reference.

usage: make_battery_goldens.py

Each line of battery/*.txt is a template, in which ⏎ stands for a newline. Writes battery.json: by file, the text of each
line, or null where the reference refuses it.
"""

import json
import pathlib

import reference

HERE = pathlib.Path(__file__).parent


def main():
    reference.check_versions()
    variables = json.loads((HERE / "battery_variables.json").read_text())
    goldens = {}
    for path in sorted((HERE / "battery").glob("*.txt")):
        lines = [line for line in path.read_text().split("\n") if line]
        goldens[path.name] = [reference.render(line.replace("⏎", "\n"), variables)[0] for line in lines]
    (HERE / "battery.json").write_text(json.dumps(goldens, indent=0, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
