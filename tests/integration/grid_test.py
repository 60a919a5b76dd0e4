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
        for pipeline in (2, 4):
            with Cluster(overrides={"decoder.grid.pipeline": pipeline}) as cluster:
                front = cluster.pids()["decoder-0"]
                ranks = children_of(front)
                self.assertEqual(pipeline, len(ranks))
                self.assertEqual(alone, self.answers(cluster), f"pipeline of {pipeline}")
            for rank in ranks:
                self.assertTrue(gone(rank), f"rank {rank} is left behind")

    def test_a_lost_rank_ends_its_streams_and_the_service_comes_back(self):
        with Cluster(overrides={"decoder.grid.pipeline": 2}) as cluster:
            stub = generation_pb2_grpc.GenerationStub(cluster.channel)
            front = cluster.pids()["decoder-0"]
            stream = stub.Generate(prompt("Tell me a long story.", max_tokens=400, ignore_eos=True), timeout=60)
            next(stream)
            ranks = children_of(front)
            begin = time.monotonic()
            os.kill(ranks[1], signal.SIGKILL)
            with self.assertRaises(grpc.RpcError) as raised:
                for _ in stream:
                    pass
            self.assertEqual(grpc.StatusCode.UNAVAILABLE, raised.exception.code(), raised.exception.details())
            self.assertLess(time.monotonic() - begin, 5)
            cluster.wait(lambda: cluster.pids().get("decoder-0") not in (0, front) and cluster.status().ready, 60,
                         "another decoder")
            words = [m.delta.text for m in stub.Generate(REQUESTS["greedy"], timeout=60)]
            self.assertIn("Paris", "".join(words))
            self.assertTrue(all(gone(rank) for rank in ranks))


if __name__ == "__main__":
    unittest.main()
