"""A language model in several processes: its answers are those of one process, and none is left behind."""

import json
import os
import signal
import subprocess
import time
import unittest

import grpc

from cluster import Cluster
from terminus.v1 import generation_pb2, generation_pb2_grpc

SCHEMA = json.dumps({"type": "object", "required": ["city", "people"],
                     "properties": {"city": {"type": "string", "maxLength": 12}, "people": {"type": "integer"}}})


def prompt(text, json_schema=None, choices=1, **sampling):
    request = generation_pb2.GenerateRequest(
        sampling=generation_pb2.SamplingParameters(choices=choices, **sampling))
    request.messages.add(role=generation_pb2.ROLE_USER).parts.add(text=text)
    if json_schema:
        request.json_schema = json_schema
    return request


LONG = "The capital of France is Paris. " * 30
REQUESTS = {
    "greedy": prompt("What is the capital of France?", temperature=0, max_tokens=24),
    "a prompt in chunks": prompt(LONG + "What is it?", temperature=0, max_tokens=12),
    "drawn": prompt("Invent a name for a cat.", temperature=0.9, seed=7, max_tokens=16),
    "choices with penalties": prompt("Name animals.", choices=3, temperature=1, seed=3, max_tokens=16, top_k=40,
                                     frequency_penalty=0.5, repetition_penalty=1.1),
    "logprobs": prompt("Say yes.", temperature=0, max_tokens=4, top_logprobs=3),
    "a schema": prompt("Name a city and how many people live there, as JSON.", json_schema=SCHEMA, choices=2,
                       temperature=0.8, seed=1, max_tokens=60),
}


def children_of(pid):
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(line) for line in listed.split()]


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(") ", 1)[1].startswith("Z")
    except FileNotFoundError:
        return True


class GridTest(unittest.TestCase):
    def answers(self, cluster):
        """{name: the deltas of all choices, by choice}, all requests at once."""
        stub = generation_pb2_grpc.GenerationStub(cluster.channel)
        calls = {name: stub.Generate(request, timeout=120) for name, request in REQUESTS.items()}
        answers = {}
        for name, call in calls.items():
            choices = {}
            for message in call:
                if message.HasField("delta"):
                    delta = message.delta
                    words, logprobs = choices.setdefault(delta.choice, ([], []))
                    words.append(delta.text)
                    logprobs.extend((l.chosen.token_id, round(l.chosen.logprob, 5)) for l in delta.logprobs)
            answers[name] = {choice: ("".join(words), logprobs) for choice, (words, logprobs) in choices.items()}
        return answers

    def test_every_grid_answers_as_one_process_does(self):
        # Several requests at once, so that micro-batches differ from the steps of one process.
        with Cluster() as cluster:
            alone = self.answers(cluster)
        self.assertIn("Paris", alone["greedy"][0][0])
        # Ranks of a stage add their parts up in another order than one process does.
        for pipeline, tensor in ((2, 1), (4, 1), (1, 3), (2, 3)):
            with Cluster(overrides={"decoder.grid.pipeline": pipeline, "decoder.grid.tensor": tensor}) as cluster:
                front = cluster.pids()["decoder-0"]
                ranks = children_of(front)
                self.assertEqual(pipeline * tensor, len(ranks))
                answers = self.answers(cluster)
                with self.subTest(pipeline=pipeline, tensor=tensor):
                    if tensor == 1:
                        self.assertEqual(alone, answers)
                    else:
                        self.assert_close(alone, answers)
            for rank in ranks:
                self.assertTrue(gone(rank), f"rank {rank} is left behind")

    def assert_close(self, alone, answers):
        for name, choices in alone.items():
            for choice, (words, logprobs) in choices.items():
                self.assertEqual(words, answers[name][choice][0], name)
                for (token, logprob), (other, other_logprob) in zip(logprobs, answers[name][choice][1], strict=True):
                    self.assertEqual(token, other)
                    self.assertAlmostEqual(logprob, other_logprob, places=3)

    def test_answers_go_on_after_a_rank_is_killed(self):
        requests = [prompt(f"Tell me a story about {what}.", max_tokens=60, ignore_eos=True, temperature=0.7, seed=5,
                           choices=2) for what in ("cats", "dogs", "rain", "bread")]
        requests.append(REQUESTS["a schema"])

        def text_of(call, after=lambda: None):
            words = {}
            for message in call:
                words.setdefault(message.delta.choice, []).append(message.delta.text)
                after()
            return {choice: "".join(parts) for choice, parts in words.items()}

        with Cluster(overrides={"decoder.grid.pipeline": 2}) as cluster:
            stub = generation_pb2_grpc.GenerationStub(cluster.channel)
            undisturbed = [text_of(call) for call in [stub.Generate(r, timeout=120) for r in requests]]
            front = cluster.pids()["decoder-0"]
            for victim in (1, 0):
                ranks = children_of(front)
                calls = [stub.Generate(request, timeout=120) for request in requests]
                next(calls[0])
                os.kill(ranks[victim], signal.SIGKILL)
                begin = time.monotonic()
                next(calls[0])
                print(f"rank {victim} killed, the next token after {time.monotonic() - begin:.1f} s", flush=True)
                again = [text_of(call) for call in calls]
                self.assertEqual(undisturbed[1:], again[1:])
                self.assertEqual(front, cluster.pids()["decoder-0"], "the front was restarted")
                self.assertIn(ranks[1 - victim], children_of(front), "the other rank was restarted")
                self.assertTrue(gone(ranks[victim]))

    def test_a_rank_that_hangs_is_given_up(self):
        with Cluster(overrides={"decoder.grid.pipeline": 2}) as cluster:
            stub = generation_pb2_grpc.GenerationStub(cluster.channel)
            ranks = children_of(cluster.pids()["decoder-0"])
            os.kill(ranks[1], signal.SIGSTOP)
            begin = time.monotonic()
            words = [m.delta.text for m in stub.Generate(REQUESTS["greedy"], timeout=60)]
            self.assertIn("Paris", "".join(words))
            self.assertLess(time.monotonic() - begin, 30)
            self.assertTrue(gone(ranks[1]))


if __name__ == "__main__":
    unittest.main()
