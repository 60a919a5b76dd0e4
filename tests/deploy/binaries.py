"""What the built binaries say of themselves, for the tests that hold deploy/ to it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

BUILD = pathlib.Path(os.environ["TERMINUS_BUILD"])
ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def tool(name):
    """Path of a program that setup installed: a wheel's, beside this Python, or Debian's."""
    beside = pathlib.Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"no {name}: run scripts/setup"
    return found


def binary(name):
    return BUILD / "bin" / name


def flags_of(name):
    """The --flags that a binary's help names."""
    text = subprocess.run([binary(name), "--help"], capture_output=True, text=True, check=True,
                          timeout=30).stdout
    return set(re.findall(r"--[a-z-]+", text))
