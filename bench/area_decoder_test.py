"""Tests of the area `decoder` with processes that answer as ours and vLLM would: how it asks, compares and gives up."""

import argparse
import contextlib
import io
import os
import stat
import sys
import tempfile
import unittest
from unittest import mock

import area_decoder

# Seconds depend on the work alone: theirs are SLOWER times ours. A first token is 7, theirs OTHER.
ENGINE = """#!{python}
import sys
print("ready", {name!r}, "1.0", flush=True)
for line in sys.stdin:
    command, *fields = line.split()
    if command == "tokens":
        print("made", {token}, flush=True)
    elif command == "beside":
        print("took", *[{slower} * s for s in (0.3, 0.1, 0.2)], flush=True)
    elif command == "time":
        count, length, tokens = map(int, fields[:3])
        cost = 2 if fields[3:] else 1
        print("took", {slower} * (count * length * 1e-6 + tokens * cost * 1e-3), flush=True)
"""
# Writes steps of 10 ms: 8 ms of kernels, 1 ms of idle time, and the last kernel of 0.8 ms. Runs begin 10 s apart.
TIMELINE = """#!{python}
import os, sys
print("ready", "Terminus", "1.0", flush=True)
with open(os.environ["KERNEL_TIMELINE"], "w") as file:
    for run, line in enumerate(sys.stdin):
        for step in range(int(line.split()[3]) + {more}):
            begin = run * 10**10 + step * 10**7
            for name, start, end in (("_ZN1a5EmbedEi", 0, 8_000_000), ("b", 9_000_000, 9_800_000)):
                print(begin + start, begin + end, name, file=file)
        print("took", 1, flush=True)
"""
LOAD = """#!{python}
import sys
print("ready", flush=True)
for line in sys.stdin:
    _, count, words, tokens = line.split()
    print("generated", int(count) * int(tokens), int(count) * {prompt}, 1.0, flush=True)
"""
SERVICE = """#!/bin/sh
exec sleep 100
"""


def script(path, text, **values):
    with open(path, "w") as file:
        file.write(text.format(python=sys.executable, **values))
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)


class AreaTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.options = argparse.Namespace(binaries=self.folder, llama_8b=self.folder, rounds=2, only="", limit_s=None,
                                          vllm_python=os.path.join(self.folder, "python-with-vllm"))
        environment = mock.patch.dict(os.environ, TERMINUS_BENCH_PYTHON=sys.executable)
        environment.start()
        self.addCleanup(environment.stop)
        open(os.path.join(self.folder, "bundle.yaml"), "w").close()
        script(os.path.join(self.folder, "decoder_gpu_bench"), ENGINE, name="Terminus", token=7, slower=1)
        script(os.path.join(self.folder, "generate_bench"), LOAD, prompt=256)
        for name in ("terminus-decoder", "terminus-router"):
            script(os.path.join(self.folder, name), SERVICE)
        self.peer(ENGINE, name="vLLM", token=7, slower=2)

    def peer(self, text, **values):
        """Makes the Python that has vLLM, or one that has not."""
        script(self.options.vllm_python, text, **values)

    def run_area(self, only):
        self.options.only = only
        # The fake Python has vllm.
        with mock.patch.object(area_decoder, "vllm_python", lambda options: options.vllm_python), \
                contextlib.redirect_stdout(io.StringIO()):
            return {figure.name: figure for figure in area_decoder.run(self.options, self.folder)}

    def test_a_step_is_the_long_run_less_the_short_one(self):
        figure = self.run_area("gpu.8b.decode_ms.b64")["gpu.8b.decode_ms.b64"]
        self.assertAlmostEqual(figure.value, 1.0)
        self.assertAlmostEqual(figure.ratio, 2.0)
        self.assertEqual(figure.peer, "vLLM 1.0")

    def test_serving_and_first_tokens(self):
        made = self.run_area("gpu.8b.serve,gpu.8b.ttft")
        seconds = 128 * 256e-6 + 0.128
        self.assertAlmostEqual(made["gpu.8b.serve_tokens_per_s.128"].value, 128 * 128 / seconds)
        self.assertAlmostEqual(made["gpu.8b.serve_tokens_per_s.128"].ratio, 2.0)
        self.assertAlmostEqual(made["gpu.8b.ttft_ms.512"].value, 1.512)
        self.assertAlmostEqual(made["gpu.8b.ttft_beside_64_ms.512"].value, 200)
        self.assertAlmostEqual(made["gpu.8b.ttft_beside_64_ms.512"].peer_value, 400)

    def test_all_figures_of_the_area(self):
        self.assertEqual(set(self.run_area("")), {each.name for each in area_decoder.COMPARISONS}
                         | {area_decoder.SAMPLING, area_decoder.GRPC_SHARE})  # Idle shares need a library.

    def test_sampling_and_grpc_need_no_peer(self):
        os.remove(self.options.vllm_python)
        made = self.run_area("gpu.8b.sampling,gpu.8b.grpc")
        self.assertAlmostEqual(made["gpu.8b.sampling_ratio.b256"].value, 2.0)
        self.assertAlmostEqual(made["gpu.8b.grpc_share.512"].value, 512 * 128)
        self.assertAlmostEqual(made["gpu.8b.grpc_share.512"].ratio, 512 * 256e-6 + 0.128)

    def run_idle(self, more):
        for folder in ("bin", "lib"):
            os.mkdir(os.path.join(self.folder, folder))
        open(os.path.join(self.folder, "lib", "libkernel_timeline.so"), "w").close()
        self.options.binaries = os.path.join(self.folder, "bin")
        script(os.path.join(self.folder, "bin", "decoder_gpu_bench"), TIMELINE, more=more)
        with mock.patch.object(area_decoder.time, "sleep"):
            return self.run_area("gpu.8b.idle")

    def test_idle_shares_are_those_between_steps(self):
        made = self.run_idle(more=16)
        self.assertEqual(list(made), [f"gpu.8b.idle_share.{work}" for work in area_decoder.IDLE_WORK])
        for figure in made.values():
            self.assertAlmostEqual(figure.value, 0.02)

    def test_too_few_steps_are_no_figure(self):
        self.assertEqual(self.run_idle(more=-20), {})

    def test_runs_that_cannot_be_told_apart_are_no_figure(self):
        with mock.patch.object(area_decoder, "PAUSE_S", 100):
            self.assertEqual(self.run_idle(more=16), {})

    def test_idle_shares_need_the_library(self):
        self.assertEqual(self.run_area("gpu.8b.idle"), {})

    def test_another_number_of_prompt_tokens_is_no_figure(self):
        script(os.path.join(self.folder, "generate_bench"), LOAD, prompt=255)
        self.assertEqual(self.run_area("gpu.8b.grpc"), {})

    def test_a_peer_that_computes_another_model_is_no_figure(self):
        self.peer(ENGINE, name="vLLM", token=8, slower=2)
        self.assertEqual(self.run_area("gpu.8b.prefill,gpu.8b.ttft"), {})

    def test_a_peer_that_does_not_start_is_started_once(self):
        starts = os.path.join(self.folder, "starts")
        self.peer("#!/bin/sh\necho start >>{starts}\n", starts=starts)
        self.assertEqual(set(self.run_area("gpu.8b.prefill,gpu.8b.ttft,gpu.8b.sampling")), {area_decoder.SAMPLING})
        with open(starts) as file:
            self.assertEqual(file.read(), "start\n")

    def test_what_was_measured_before_a_process_dies_stands(self):
        self.peer(ENGINE.replace('command == "beside"', 'command == "beside" and exit(1)'), name="vLLM", token=7,
                  slower=2)
        self.assertEqual(set(self.run_area("gpu.8b.ttft,gpu.8b.sampling")),
                         {"gpu.8b.ttft_ms.512", area_decoder.SAMPLING})

    def test_begins_nothing_behind_its_limit(self):
        self.options.limit_s = 1e-9
        self.assertEqual(self.run_area("gpu.8b.ttft"), {})

    def test_a_python_without_vllm_is_refused_by_name(self):
        self.peer("#!/bin/sh\nexit 1\n")
        self.options.only = "gpu.8b.prefill"
        with self.assertRaisesRegex(SystemExit, "python-with-vllm has no vllm.*--vllm-python"):
            area_decoder.run(self.options, self.folder)
        os.remove(self.options.vllm_python)
        with self.assertRaisesRegex(SystemExit, "python-with-vllm: No such file"):
            area_decoder.run(self.options, self.folder)


if __name__ == "__main__":
    unittest.main()
