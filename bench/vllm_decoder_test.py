"""Tests of the peer's process over a made-up vllm: its answers, and that what vLLM prints is none of them."""

import os
import sys
import tempfile
import unittest

import figures
from line_process import LineProcess

# Makes one token for each sequence in a step; the id of a token is the last of its prompt.
VLLM = '''
import types

__version__ = "9.9"


class SamplingParams:
    def __init__(self, **rules):
        self.__dict__.update(rules)
        print("a line of vLLM's own")


def _output(request, prompt, tokens, finished):
    choice = types.SimpleNamespace(token_ids=tokens)
    return types.SimpleNamespace(request_id=request, outputs=[choice], finished=finished)


class Engine:
    def __init__(self):
        self.engine_core = types.SimpleNamespace(shutdown=lambda: None)
        self.running = {}

    def add_request(self, request, prompt, parameters):
        assert parameters.ignore_eos and parameters.output_kind == "delta"
        self.running[request] = [prompt, parameters.max_tokens]

    def step(self):
        outputs = []
        for request, (prompt, left) in list(self.running.items()):
            self.running[request][1] -= 1
            if left == 1:
                del self.running[request]
            outputs.append(_output(request, prompt, [prompt["prompt_token_ids"][-1]], left == 1))
        return outputs

    def has_unfinished_requests(self):
        return bool(self.running)


class LLM:
    def __init__(self, model, **options):
        assert options["skip_tokenizer_init"] and not options["enable_prefix_caching"]
        self.llm_engine = Engine()

    def generate(self, prompts, parameters, use_tqdm):
        count = parameters.max_tokens - (1 if parameters.temperature > 0 else 0)
        return [_output("", prompt, prompt["prompt_token_ids"][-1:] * count, True) for prompt in prompts]
'''
KINDS = "import types\nRequestOutputKind = types.SimpleNamespace(DELTA='delta')\n"


class VllmDecoderTest(unittest.TestCase):
    def setUp(self):
        modules = tempfile.TemporaryDirectory()
        self.addCleanup(modules.cleanup)
        os.mkdir(os.path.join(modules.name, "vllm"))
        for name, text in (("__init__", VLLM), ("sampling_params", KINDS)):
            with open(os.path.join(modules.name, "vllm", name + ".py"), "w") as file:
                file.write(text)
        script = os.path.join(figures.ROOT, "bench", "peers", "vllm_decoder.py")
        self.process = LineProcess([sys.executable, script, "--folder", modules.name],
                                   os.environ | {"PYTHONPATH": modules.name})
        self.addCleanup(self.process.close)
        self.assertEqual(self.process.expect("ready", 30), ["vLLM", "9.9"])

    def test_times_a_batch(self):
        took, = self.process.ask("time 3 16 4", "took", 30)
        self.assertGreater(float(took), 0)

    def test_a_batch_that_made_other_tokens_is_an_error(self):
        # The made-up engine makes one too few when it samples.
        with self.assertRaisesRegex(RuntimeError, "ended with 1"):
            self.process.ask("time 3 16 4 sampled", "took", 30)

    def test_times_first_tokens_beside_running_sequences_and_ends_those(self):
        for _ in range(2):
            self.assertEqual(len(self.process.ask("beside 5 16 7", "took", 30)), 7)

    def test_running_sequences_that_end_too_early_are_an_error(self):
        with self.assertRaisesRegex(RuntimeError, "ended with 1"):
            self.process.ask("beside 2 16 600", "took", 30)

    def test_gives_the_tokens_of_a_prompt(self):
        self.assertEqual(self.process.ask("tokens 2 11 12 13", "made", 30), ["13", "13"])

    def test_another_command_is_an_error(self):
        with self.assertRaisesRegex(RuntimeError, "ended with 1"):
            self.process.ask("time 3 16", "took", 30)


if __name__ == "__main__":
    unittest.main()
