#!/usr/bin/env python3
"""`terminus plan decoder`: its flags, its exit codes and a folder's config.json."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
TERMINUS = pathlib.Path(os.environ["TERMINUS_BUILD"]) / "bin" / "terminus"
LLAMA_8B = {
    "model_type": "llama", "vocab_size": 128256, "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    "max_position_embeddings": 131072, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
    "hidden_act": "silu", "tie_word_embeddings": False}


def plan(*words):
    return subprocess.run([TERMINUS, "plan", "decoder", *words], capture_output=True, text=True,
                          check=False, timeout=60)


class PlanTest(unittest.TestCase):
    def plan_json(self, *words):
        done = plan(*words, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_folder_gives_the_plan_of_its_shape(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "config.json").write_text(json.dumps(LLAMA_8B))
            found = self.plan_json("--model", folder, "--pipeline", "4")
        self.assertEqual(found["split"], "9/9/8/6")
        self.assertEqual(found, self.plan_json("--shape", "8b", "--pipeline", "4"))

    def test_every_flag_counts(self):
        base = self.plan_json("--shape", "8b", "--pipeline", "2", "--tensor", "2")
        for flags in (("--split", "16/16"), ("--device-gib", "80"), ("--memory-share", "0.5"),
                      ("--rows", "64"), ("--context", "4096"), ("--slots", "2"), ("--sequences", "100"),
                      ("--output-tokens", "50"), ("--read-tbs", "2"), ("--all-reduce-gbs", "1"), ("--link-gbs", "1"),
                      ("--layer-overhead-us", "30"), ("--all-reduce-us", "20"), ("--link-us", "500"),
                      ("--sampling-us", "5000"), ("--return-us", "9000"), ("--host-us", "5000")):
            with self.subTest(flags[0]):
                self.assertNotEqual(
                    self.plan_json("--shape", "8b", "--pipeline", "2", "--tensor", "2", *flags), base)
        many = ("--shape", "8b", "--rows", "2000")
        self.assertNotEqual(self.plan_json(*many, "--tflops", "100"), self.plan_json(*many))
        answers = ("--shape", "8b", "--output-tokens", "50")
        prompts = self.plan_json(*answers, "--prompt-tokens", "500")
        self.assertNotEqual(prompts, self.plan_json(*answers))
        for flags in (("--prompt-budget", "100"), ("--seed", "2")):
            self.assertNotEqual(prompts, self.plan_json(*answers, "--prompt-tokens", "500", *flags))

    def test_grids_of_some_devices_are_compared(self):
        grids = self.plan_json("--shape", "70b", "--devices", "8", "--sequences", "64")["grids"]
        self.assertEqual([(grid["pipeline"], grid["tensor"]) for grid in grids],
                         [(8, 1), (4, 2), (2, 4), (1, 8)])
        self.assertEqual(grids[1], self.plan_json("--shape", "70b", "--pipeline", "4", "--tensor", "2",
                                                  "--sequences", "64"))
        table = plan("--shape", "70b", "--devices", "8")
        self.assertEqual(table.returncode, 0)
        self.assertEqual(len(table.stdout.splitlines()), 6)
        self.assertEqual(plan("--shape", "405b", "--devices", "4").returncode, 1)

    def test_the_documented_predictions_are_the_command_s(self):
        text = (DOCS / "parallelism.md").read_text()
        table = text.split("<!-- predictions:")[1].split("<!-- end of predictions -->")[0]
        rows = [line for line in table.splitlines() if line.startswith("| ") and "b |" in line]
        self.assertEqual(len(rows), 6)
        for row in rows:
            shape, stages = row.split(" | ")[0][2:], row.split(" | ")[1]
            found = json.loads(plan("--shape", shape, "--pipeline", stages, "--json").stdout)
            weights = max(stage["weight_bytes"] for stage in found["stages"]) / 2**30
            cells = [shape, stages, found["split"], f"{100 * found['busy_ceiling']:.1f}%",
                     f"{weights:.1f} GiB", found["kv_blocks"],
                     found["sequences_that_fit"] if found["kv_blocks"] else "no room",
                     f"{found['pipelined']['tokens_per_s']:.0f}",
                     f"{1e3 * found['pipelined']['step_latency_s']:.1f} ms",
                     f"{found['lock_step']['tokens_per_s']:.0f}"]
            self.assertEqual(row, "| " + " | ".join(map(str, cells)) + " |")
        grids = plan("--shape", "405b", "--devices", "16", "--sequences", "1024").stdout.splitlines()
        for line in grids[:6]:
            self.assertIn(line + "\n", text)

    def test_a_model_without_room_is_an_error_after_its_plan(self):
        done = plan("--shape", "405b", "--pipeline", "4")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no room", done.stdout)
        self.assertIn("GiB of each device before keys and values", done.stderr)

    def test_mistakes_are_told(self):
        for words, message in (
                (("--shape", "8b", "--tensor", "3"), "3 tensor ranks must divide the 32 query heads"),
                (("--shape", "8b", "--pipeline", "2", "--split", "16/17"), "adds up to 33 layers"),
                (("--shape", "7b"), "7b"),
                (("--shape", "8b", "--devices", "2", "--tensor", "2"), "--tensor"),
                (("--shape", "8b", "--devices", "0"), "--devices"),
                (("--shape", "8b", "--devices", "97"), "no grid of 97 devices"),
                ((), "--shape"),
                (("--shape", "8b", "--model", "/"), "--model"),
                (("--shape", "8b", "--piplines", "2"), "the nearest is '--pipeline'")):
            done = plan(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(message, done.stderr, words)


if __name__ == "__main__":
    unittest.main()
