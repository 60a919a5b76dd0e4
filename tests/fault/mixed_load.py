"""Load of every kind on a cluster, and a look at what its processes hold."""

import os
import pathlib
import re
import threading
import time

import cluster as _stubs  # noqa: F401  Makes the generated stubs findable.
import grpc
from google.rpc import code_pb2
from terminus.v1 import (action_pb2, action_pb2_grpc, content_pb2, embedding_pb2, generation_pb2,
                         generation_pb2_grpc, retrieval_pb2, retrieval_pb2_grpc)

GOLDEN = pathlib.Path(os.environ.get("TERMINUS_HOME", pathlib.Path.home() / ".cache/terminus")) / "bundles/default/golden"
PHOTO = (GOLDEN / "coffee.png").read_bytes()
CLIP = next(GOLDEN.glob("*.gif")).read_bytes()
# What a fault may do to a call: nothing, or one of these.
ALLOWED = {code_pb2.OK, code_pb2.UNAVAILABLE, code_pb2.DEADLINE_EXCEEDED}


def prompt(text, max_tokens):
    request = generation_pb2.GenerateRequest(
        sampling=generation_pb2.SamplingParameters(max_tokens=max_tokens, temperature=0.7, seed=1))
    message = request.messages.add(role=generation_pb2.ROLE_USER)
    message.parts.add(text=text)
    return request


class Calls:
    """One method for each kind of call; each returns the status codes of what it asked."""

    def __init__(self, channel, embedding, deadline):
        self.deadline = deadline
        self.embedding = embedding
        self.generation = generation_pb2_grpc.GenerationStub(channel)
        self.retrieval = retrieval_pb2_grpc.RetrievalStub(channel)
        self.action = action_pb2_grpc.ActionStub(channel)

    def embed(self, seed):
        items = [content_pb2.Content(text=f"text number {seed}"), content_pb2.Content(image=PHOTO),
                 content_pb2.Content(video=content_pb2.Video(data=CLIP))]
        response = self.embedding.Embed(embedding_pb2.EmbedRequest(items=items), timeout=self.deadline)
        return [result.status.code for result in response.results]

    def generate(self, seed):
        for _ in self.generation.Generate(prompt(f"Count to {seed}.", 8), timeout=self.deadline):
            pass
        return [code_pb2.OK]

    def score(self, seed):
        response = self.retrieval.Score(retrieval_pb2.ScoreRequest(
            query=content_pb2.Content(text=f"query {seed}"),
            candidates=[content_pb2.Content(text=f"candidate {seed} {i}") for i in range(3)]), timeout=self.deadline)
        return [score.status.code for score in response.scores]

    def recognize(self, seed):
        self.action.Recognize(action_pb2.RecognizeRequest(
            video=content_pb2.Video(data=CLIP), labels=[f"label {seed}", "a cat", "coffee"]), timeout=self.deadline)
        return [code_pb2.OK]

    KINDS = ("embed", "generate", "score", "recognize")


class MixedLoad:
    """Two closed-loop clients of each kind; keeps the codes of all answers and the longest call."""

    def __init__(self, cluster, deadline):
        self.calls = Calls(cluster.channel, cluster.embedding, deadline)
        self.deadline = deadline
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.codes = {kind: {} for kind in Calls.KINDS}
        self.longest = 0.0
        self.threads = [threading.Thread(target=self._run, args=(kind, client), daemon=True)
                        for kind in Calls.KINDS for client in range(2)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        for thread in self.threads:
            thread.join(self.deadline + 15)
            if thread.is_alive():
                raise AssertionError("a call hangs past its deadline")

    def _run(self, kind, client):
        count = 0
        while not self.stop.is_set():
            count += 1
            start = time.monotonic()
            try:
                codes = getattr(self.calls, kind)(client * 1_000_000 + count)
            except grpc.RpcError as error:
                codes = [error.code().value[0]]
                # As a client's retry policy would: not at once again.
                self.stop.wait(0.05)
            with self.lock:
                self.longest = max(self.longest, time.monotonic() - start)
                for code in codes:
                    self.codes[kind][code] = self.codes[kind].get(code, 0) + 1

    def answered(self):
        """The fewest OK answers of any kind."""
        with self.lock:
            return min(codes.get(code_pb2.OK, 0) for codes in self.codes.values())

    def seen(self):
        with self.lock:
            return set().union(*(set(codes) for codes in self.codes.values()))


def held(cluster):
    """{process: (threads, PSS in MiB)} of the supervised processes."""
    found = {}
    for name, pid in cluster.pids().items():
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        threads = int(re.search(r"Threads:\s+(\d+)", status).group(1))
        pss = int(re.search(r"Pss:\s+(\d+)", rollup).group(1)) / 1024
        found[name] = (threads, pss)
    return found


def grown(before, after, threads=4, mebibytes=96):
    """Processes that hold more threads or memory than before, beyond what pools and allocators keep."""
    return {name: (before[name], after[name]) for name in before
            if after[name][0] > before[name][0] + threads or after[name][1] > before[name][1] + mebibytes}


def kv_blocks_used(cluster):
    """Blocks that sequences hold just now, over all decoder replicas."""
    used = 0.0
    for page in cluster.metrics().values():
        for value in re.findall(r'^terminus_decoder_kv_blocks\{[^}]*state="used"[^}]*\} (\S+)', page, re.M):
            used += float(value)
    return used


def warm_up(cluster):
    """One call of each kind, so that what is made at the first use does not count as grown."""
    calls = Calls(cluster.channel, cluster.embedding, 60)
    for round_ in range(3):
        for kind in Calls.KINDS:
            assert set(getattr(calls, kind)(round_)) == {code_pb2.OK}, kind
