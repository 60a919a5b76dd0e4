"""Mixed load for a while, good calls beside bad ones and ones that are given up.

TERMINUS_SOAK_SECONDS sets for how long: scripts/soak runs it for 30 minutes under AddressSanitizer.
"""

import os
import pathlib
import re
import threading
import unittest

import cluster as _stubs  # noqa: F401  Makes the generated stubs findable.
import grpc
import mixed_load
from cluster import Cluster
from google.rpc import code_pb2
from terminus.v1 import action_pb2, content_pb2, embedding_pb2, generation_pb2, retrieval_pb2

SECONDS = float(os.environ.get("TERMINUS_SOAK_SECONDS", "20"))
SANITIZED = pathlib.Path(os.environ["TERMINUS_BUILD"]).name == "asan"
# Nothing may take longer than this; a sanitizer makes everything several times slower.
DEADLINE = 240 if SANITIZED else 60
REPORT = re.compile(r"ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer")


class Disturbances:
    """Calls that a cluster must refuse or bear; each returns what it was answered and what is right."""

    def __init__(self, cluster):
        self.calls = mixed_load.Calls(cluster.channel, cluster.embedding, DEADLINE)

    def broken_items(self, seed):
        photo, clip = mixed_load.PHOTO, mixed_load.CLIP
        cut = 20 + seed % 1000
        items = [content_pb2.Content(image=photo[:cut]), content_pb2.Content(video=content_pb2.Video(data=clip[:cut])),
                 content_pb2.Content(), content_pb2.Content(image=b""), content_pb2.Content(text=f"good {seed}")]
        results = self.calls.embedding.Embed(embedding_pb2.EmbedRequest(items=items), timeout=DEADLINE).results
        return [result.status.code for result in results], [code_pb2.INVALID_ARGUMENT] * 4 + [code_pb2.OK]

    def too_long_a_text(self, seed):
        items = [content_pb2.Content(text=f"word{seed} " * 2000)]
        request = embedding_pb2.EmbedRequest(items=items, options=embedding_pb2.EmbedOptions(
            truncate=embedding_pb2.TRUNCATE_NONE))
        result = self.calls.embedding.Embed(request, timeout=DEADLINE).results[0]
        return [result.status.code], [code_pb2.INVALID_ARGUMENT]

    def bad_sampling(self, seed):
        request = mixed_load.prompt(f"Hello {seed}", 4)
        request.sampling.top_p = 2
        return [self._refused(lambda: list(self.calls.generation.Generate(request, timeout=DEADLINE)))], [
            code_pb2.INVALID_ARGUMENT]

    def no_candidates(self, seed):
        request = retrieval_pb2.ScoreRequest(query=content_pb2.Content(text=f"query {seed}"))
        return [self._refused(lambda: self.calls.retrieval.Score(request, timeout=DEADLINE))], [
            code_pb2.INVALID_ARGUMENT]

    def equal_labels(self, seed):
        request = action_pb2.RecognizeRequest(video=content_pb2.Video(data=mixed_load.CLIP),
                                              labels=[f"label {seed}"] * 2)
        return [self._refused(lambda: self.calls.action.Recognize(request, timeout=DEADLINE))], [
            code_pb2.INVALID_ARGUMENT]

    def given_up(self, seed):
        stream = self.calls.generation.Generate(mixed_load.prompt(f"Tell a story of {seed}.", 200), timeout=DEADLINE)
        next(stream)
        stream.cancel()
        return [self._refused(lambda: list(stream))], [code_pb2.CANCELLED]

    @staticmethod
    def _refused(call):
        try:
            call()
        except grpc.RpcError as error:
            return error.code().value[0]
        return code_pb2.OK

    KINDS = ("broken_items", "too_long_a_text", "bad_sampling", "no_candidates", "equal_labels", "given_up")


class SoakTest(unittest.TestCase):
    def disturb(self, cluster, end, wrong, counts):
        disturbances = Disturbances(cluster)
        seed = 0
        while not end.wait(0.05):
            kind = Disturbances.KINDS[seed % len(Disturbances.KINDS)]
            seed += 1
            try:
                answered, right = getattr(disturbances, kind)(seed)
            except Exception as error:  # Whatever it is: the test's own thread must hear of it.
                answered, right = error, None
            counts[kind] = counts.get(kind, 0) + 1
            if answered != right:
                wrong.append((kind, seed, answered, right))
                return

    def test_nothing_breaks_grows_or_is_reported(self):
        with Cluster(ready_timeout=300) as cluster:
            mixed_load.warm_up(cluster)
            before, pids = mixed_load.held(cluster), cluster.pids()
            end, wrong, counts = threading.Event(), [], {}
            disturber = threading.Thread(target=self.disturb, args=(cluster, end, wrong, counts), daemon=True)
            with mixed_load.MixedLoad(cluster, DEADLINE) as load:
                disturber.start()
                # Ends early when a disturbance was answered wrongly.
                disturber.join(SECONDS)
                end.set()
            disturber.join(DEADLINE)
            self.assertFalse(disturber.is_alive(), "a disturbing call hangs past its deadline")
            print(f"{SECONDS:.0f} s: {load.codes}, disturbances {counts}, longest call {load.longest:.2f} s")
            self.assertEqual(wrong, [])
            self.assertEqual(load.seen(), {code_pb2.OK}, load.codes)
            self.assertEqual(cluster.pids(), pids, "a process was restarted: " + cluster.logs())
            cluster.wait(lambda: mixed_load.kv_blocks_used(cluster) == 0, 30, "the KV blocks to be free")
            after = mixed_load.held(cluster)
            print(f"threads and PSS before {before}, after {after}")
            cluster.stop()
            self.assertEqual(cluster.process.returncode, 0, cluster.logs())
            reports = [f"{log.name}: {line}" for log in sorted(cluster.state.rglob("*.log")) if log.is_file()
                       for line in log.read_text(errors="replace").splitlines() if REPORT.search(line)]
            self.assertEqual(reports, [], cluster.logs())
            # Under a sanitizer freed memory is kept in quarantine, so that its growth says nothing.
            if not SANITIZED:
                self.assertEqual(mixed_load.grown(before, after), {})


if __name__ == "__main__":
    unittest.main()
