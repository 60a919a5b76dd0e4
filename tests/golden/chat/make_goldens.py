#!/usr/bin/env python3
"""Renders the templates of this folder with the reference.

usage: make_goldens.py

Writes goldens.json: [{template, messages, add_generation_prompt, text or error}].
"""

import json
import pathlib

import reference

HERE = pathlib.Path(__file__).parent
# transformers passes tools and documents whether there are any or not.
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "tools": None, "documents": None}


def message(role, content):
    return {"role": role, "content": content}


CONVERSATIONS = [
    [message("user", "Hello")],
    [message("system", " Be brief. "), message("user", "Hello\n"), message("assistant", "  Hi! "), message("user", "Bye")],
    [message("user", "What is\t2 + 2?"), message("assistant", "4")],
    [message("assistant", "I begin"), message("user", "No")],
    [message("user", "!données \"quoted\" 日本語 \\ back"), message("assistant", "é")],
    [message("system", ""), message("user", "one two  three")],
    [message("user", "\u3000Hé lo\u00a0"), message("assistant", "it's\r\nÀ ß\x1f")],
    [],
]


def main():
    reference.check_versions()
    goldens = []
    for path in sorted(HERE.glob("*.jinja")):
        source = path.read_text()
        for messages in CONVERSATIONS:
            for prompt in (False, True):
                text, error = reference.render(
                    source, {"messages": messages, "add_generation_prompt": prompt, **NAMES})
                golden = {"template": path.name, "messages": messages, "add_generation_prompt": prompt}
                goldens.append({**golden, **({"error": error} if text is None else {"text": text})})
    (HERE / "goldens.json").write_text(json.dumps(goldens, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
