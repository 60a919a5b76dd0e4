"""terminus-decoder with the default bundle's language model, spoken to as the router does."""

import concurrent.futures
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

from cluster import BUILD
import grpc
from terminus.v1 import decoder_pb2, decoder_pb2_grpc, generation_pb2

HOME = pathlib.Path(os.environ.get("TERMINUS_HOME", pathlib.Path.home() / ".cache" / "terminus"))
BUNDLE = HOME / "bundles" / "default"
PATIENCE = 120
NEAR_TIE = 0.02


def ask(text, max_tokens=12, **sampling):
    sampling.setdefault("temperature", 0)
    message = generation_pb2.Message(role=generation_pb2.ROLE_USER)
    message.parts.add(text=text)
    return decoder_pb2.DecoderGenerateRequest(request=generation_pb2.GenerateRequest(
        messages=[message],
        sampling=generation_pb2.SamplingParameters(max_tokens=max_tokens, **sampling)))


class Answer:
    """What a call gave: text and ids of the first choice, how near each was to the second likeliest, and the usage."""

    def __init__(self, stream):
        self.text, self.ids, self.margins, self.usage = "", [], [], None
        for response in stream:
            assert self.usage is None, "something came after the usage"
            if response.WhichOneof("kind") == "usage":
                self.usage = response.usage
            elif response.delta.choice == 0:
                self.text += response.delta.text
                self.ids += response.delta.token_ids
                self.margins += [one.top[0].logprob - one.top[1].logprob for one in response.delta.logprobs]


class DecoderReplicaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        address = f"unix:{cls.folder.name}/decoder.sock"
        cls.log = open(pathlib.Path(cls.folder.name, "log"), "w+")
        cls.process = subprocess.Popen(
            [str(BUILD / "bin" / "terminus-decoder"), "--bundle", str(BUNDLE), "--listen", address,
             "--set", "decoder.max_requests=24"], stderr=cls.log)
        cls.channel = grpc.insecure_channel(address)
        cls.stub = decoder_pb2_grpc.DecoderStub(cls.channel)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                cls.description = cls.stub.Describe(decoder_pb2.DecoderDescribeRequest(), timeout=5)
                return
            except grpc.RpcError:
                if cls.process.poll() is not None or time.monotonic() > deadline:
                    cls.tearDownClass()
                    raise
                time.sleep(0.05)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.process.send_signal(signal.SIGTERM)
        try:
            code = cls.process.wait(30)
        except subprocess.TimeoutExpired:
            cls.process.kill()
            raise
        cls.log.seek(0)
        log = cls.log.read()
        cls.log.close()
        cls.folder.cleanup()
        assert code == 0, log

    def generate(self, request, timeout=PATIENCE):
        return Answer(self.stub.Generate(request, timeout=timeout))

    def metric(self, name):
        page = urllib.request.urlopen(f"http://{self.description.metrics_address}/metrics").read()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", page.decode(), re.MULTILINE)[1])

    def wait_until_empty(self):
        deadline = time.monotonic() + PATIENCE
        while (self.metric('terminus_decoder_kv_blocks{state="used"}') or
               self.metric("terminus_decoder_requests")):
            self.assertLess(time.monotonic(), deadline, "blocks or requests are left")
            time.sleep(0.02)

    def test_describes_a_language_model(self):
        self.assertTrue(self.description.generates)
        self.assertEqual(8192, self.description.max_context)
        self.assertEqual(8, self.description.max_sequences)
        self.assertEqual(24, self.description.max_requests)

    def test_tokens_are_the_goldens(self):
        golden = json.loads((BUNDLE / "golden.json").read_text())["decoder"]["prompts"]
        for prompt in golden:
            tokens = self.stub.Tokenize(generation_pb2.TokenizeRequest(text=prompt["prompt"]), timeout=9)
            self.assertEqual(prompt["token_ids"], list(tokens.token_ids))
            back = self.stub.Detokenize(
                generation_pb2.DetokenizeRequest(token_ids=tokens.token_ids), timeout=9)
            self.assertEqual(prompt["prompt"], back.text)

    def test_answers_are_the_same_alone_and_beside_others(self):
        questions = ["Name 3 colours of the rainbow.", "What is the capital of France?",
                     "Write a haiku about rain.", "Count to five."] * 3
        alone = {question: self.generate(ask(question, 24, top_logprobs=2)) for question in set(questions)}
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda question: self.generate(ask(question, 24)), questions))
        for question, answer in zip(questions, answers):
            self.assertEqual(answer.usage.generated_tokens, len(answer.ids))
            single = alone[question]
            different = [i for i, (a, b) in enumerate(zip(single.ids, answer.ids)) if a != b]
            if different:
                # Sums are rounded differently in a batch: only what was nearly a tie may tip.
                self.assertLess(single.margins[different[0]], NEAR_TIE, f"{question}: {single.text!r}, {answer.text!r}")
        self.assertIn("Paris", alone["What is the capital of France?"].text)
        self.wait_until_empty()

    def test_the_same_beginning_is_cached(self):
        text = "Sum up: " + "the quick brown fox jumps over the lazy dog. " * 20
        self.generate(ask(text + "One.", 2))
        self.assertGreater(self.generate(ask(text + "Two.", 2)).usage.cached_prompt_tokens, 150)

    def test_cancellations_and_deadlines_leave_nothing(self):
        def client(seed):
            draw = random.Random(seed)
            for _ in range(8):
                stream = self.stub.Generate(ask("Tell me a long story.", 200, choices=2),
                                            timeout=draw.choice([0.05, 0.3, PATIENCE]))
                try:
                    for count, _ in enumerate(stream):
                        if count >= draw.randrange(4):
                            break
                    stream.cancel()
                except grpc.RpcError as error:
                    self.assertIn(error.code(), (grpc.StatusCode.DEADLINE_EXCEEDED,
                                                 grpc.StatusCode.RESOURCE_EXHAUSTED))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(client, range(8)))
        self.wait_until_empty()
        self.assertIn("Paris", self.generate(ask("What is the capital of France?", 24)).text)


if __name__ == "__main__":
    unittest.main()
