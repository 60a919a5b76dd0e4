#!/usr/bin/env python3
"""Renders the templates of this folder with Jinja 2, set up as transformers does it.

usage: make_goldens.py

Writes goldens.json: [{template, messages, add_generation_prompt, text or error}]. Needs the package jinja2.
"""

import json
import pathlib

import jinja2
import jinja2.ext
import jinja2.sandbox

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


def refuse(text):
    raise jinja2.exceptions.TemplateError(text)


def environment():
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    made.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    made.globals["raise_exception"] = refuse
    return made


def main():
    goldens = []
    for path in sorted(HERE.glob("*.jinja")):
        template = environment().from_string(path.read_text())
        for messages in CONVERSATIONS:
            for prompt in (False, True):
                golden = {"template": path.name, "messages": messages, "add_generation_prompt": prompt}
                try:
                    golden["text"] = template.render(messages=messages, add_generation_prompt=prompt, **NAMES)
                except jinja2.exceptions.TemplateError as error:
                    golden["error"] = str(error)
                goldens.append(golden)
    (HERE / "goldens.json").write_text(json.dumps(goldens, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
