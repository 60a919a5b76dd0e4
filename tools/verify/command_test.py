"""`terminus model inspect` and `terminus model verify` as commands: exit codes, and the comparison's own errors."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

TERMINUS = pathlib.Path(os.environ["TERMINUS_BUILD"]) / "bin" / "terminus"


class CommandTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="terminus-verify-")
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def run_model(self, *words):
        return subprocess.run([TERMINUS, "model", *words], capture_output=True, text=True, timeout=120,
                              env={"PATH": os.environ["PATH"], "HOME": str(self.folder)})

    def test_a_folder_that_is_not_there(self):
        done = self.run_model("inspect", str(self.folder / "nowhere"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such folder", done.stdout)
        self.assertIn("What can be served", done.stdout)

    def test_a_family_that_is_not_served(self):
        (self.folder / "config.json").write_text('{"model_type": "mamba", "hidden_size": 8}')
        done = self.run_model("inspect", "--json", str(self.folder))
        self.assertEqual(done.returncode, 1)
        told = json.loads(done.stdout)
        self.assertFalse(told["good"])
        self.assertIn("mamba", told["error"])
        self.assertEqual(told["models"][0]["sizes"], {"hidden_size": 8})

    def test_usage(self):
        self.assertEqual(self.run_model("inspect").returncode, 2)
        self.assertEqual(self.run_model("verify", ".", "--against", "nothing").returncode, 2)

    def test_a_python_without_transformers_is_named(self):
        bare = self.folder / "python"
        # No packages but Python's own.
        bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
        bare.chmod(0o755)
        done = self.run_model("verify", str(self.folder), "--against", "transformers", "--python", str(bare))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("cannot compare", done.stderr)
        self.assertIn("TERMINUS_PYTHON", done.stderr)

    def test_a_python_that_is_not_there(self):
        done = self.run_model("verify", str(self.folder), "--against", "transformers", "--python", "/nowhere/python3")
        self.assertEqual(done.returncode, 1)
        self.assertIn("needs a Python with torch and transformers", done.stderr)


if __name__ == "__main__":
    unittest.main()
