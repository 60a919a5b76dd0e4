#!/usr/bin/env python3
"""Renders published chat templates with the reference.

usage: make_published_goldens.py TEMPLATES

TEMPLATES is the folder of templates that scripts/setup unpacks. Writes published.json: by template, for each conversation of
conversations.json, without and with a generation prompt, the FNV-1a hash of the text, or null where the reference refuses
it.
"""

import json
import pathlib
import sys

import reference

HERE = pathlib.Path(__file__).parent


def cases():
    """The variables of each case."""
    tools = json.loads((HERE / "conversation_tools.json").read_text())
    for conversation in json.loads((HERE / "conversations.json").read_text()):
        variables = {"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>", **conversation}
        if variables["tools"] is not None:
            variables["tools"] = tools[variables["tools"]]
        for prompt in (False, True):
            yield {**variables, "add_generation_prompt": prompt}


def digest(text):
    if text is None:
        return None
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def main():
    reference.check_versions()
    goldens = {}
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.jinja")):
        source = path.read_bytes().decode()
        goldens[path.name] = [digest(reference.render(source, variables)[0]) for variables in cases()]
    (HERE / "published.json").write_text(json.dumps(goldens, indent=0) + "\n")


if __name__ == "__main__":
    main()
