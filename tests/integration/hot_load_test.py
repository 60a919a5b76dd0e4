"""The model of a running cluster is replaced, refused, unloaded and loaded, under load."""

import json
import math
import os
import pathlib
import signal
import struct
import tempfile
import threading
import unittest

import grpc

import golden_folder
from cluster import MAX_MESSAGE, Cluster, details_of
from google.rpc import code_pb2
from terminus.v1 import (cluster_pb2, content_pb2, embedding_pb2, modality_pb2, retrieval_pb2,
                         retrieval_pb2_grpc)

HOME = pathlib.Path(os.environ.get("TERMINUS_HOME", pathlib.Path.home() / ".cache" / "terminus"))
TEXT_FOLDER = HOME / "bundles" / "default" / "text"
CLIP = golden_folder.read("clip")
TEXT = CLIP["texts"][0]["texts"][0]
FIRST, SECOND = golden_folder.pictures(CLIP)[:2]
ITEMS = [content_pb2.Content(text=TEXT), content_pb2.Content(image=FIRST),
         content_pb2.Content(text=TEXT), content_pb2.Content(image=SECOND)]
DEADLINE = 30.0


def vectors_of(results):
    return [golden_folder.vector_of(result) for result in results]


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


class Load:
    """Clients without a pause; keeps every answer's space and vectors, and every failure."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.channel = grpc.insecure_channel(cluster.address, options=MAX_MESSAGE)
        self.retrieval = retrieval_pb2_grpc.RetrievalStub(self.channel)
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.answers = []
        self.failures = []
        self.spaces = {}
        self.threads = [threading.Thread(target=run)
                        for run in (self.embed, self.embed, self.embed, self.stream, self.score)]
        for thread in self.threads:
            thread.start()

    def keep(self, space, results):
        with self.lock:
            bad = [r.status for r in results if r.status.code != code_pb2.OK]
            self.failures += [str(status) for status in bad]
            if not bad:
                self.answers.append((space, vectors_of(results)))
                self.spaces[space] = self.spaces.get(space, 0) + 1

    def guarded(self, body):
        try:
            body()
        except grpc.RpcError as error:
            with self.lock:
                self.failures.append(f"{error.code()}: {error.details()}")

    def embed(self):
        def call():
            response = self.cluster.embedding.Embed(embedding_pb2.EmbedRequest(items=ITEMS),
                                                    timeout=DEADLINE)
            self.keep(response.space_id, response.results)
        while not self.stop.is_set():
            self.guarded(call)

    def stream(self):
        """One stream over all of it; the next item goes out when the last is answered."""
        answered = threading.Semaphore(4)

        def requests():
            number = 0
            while not self.stop.is_set():
                answered.acquire()
                yield embedding_pb2.EmbedStreamRequest(correlation_id=number % 2,
                                                       item=ITEMS[number % 2])
                number += 1

        def call():
            for response in self.cluster.embedding.EmbedStream(requests()):
                answered.release()
                with self.lock:
                    if response.result.status.code != code_pb2.OK:
                        self.failures.append(f"stream: {response.result.status}")
                    else:
                        vectors = [None] * len(ITEMS)
                        vectors[response.correlation_id] = golden_folder.vector_of(response.result)
                        self.answers.append((response.space_id, vectors))
        self.guarded(call)

    def score(self):
        def call():
            response = self.retrieval.Score(
                retrieval_pb2.ScoreRequest(query=ITEMS[0], candidates=ITEMS[1:]), timeout=DEADLINE)
            with self.lock:
                self.failures += [str(s.status) for s in response.scores if s.status.code]
        while not self.stop.is_set():
            self.guarded(call)

    def count(self, space):
        with self.lock:
            return self.spaces.get(space, 0)

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(DEADLINE + 10)
            if thread.is_alive():
                raise AssertionError("a call hangs past its deadline")
        self.channel.close()


class HotLoadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory()
        cls.folders = {}
        for name, seed in (("first", {}), ("second", {"seed": 12345})):
            cls.folders[name] = pathlib.Path(cls.temp.name, name)
            cls.folders[name].mkdir()
            golden_folder.write(CLIP, cls.folders[name], **seed)

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def load_model(self, cluster, folder, name=""):
        return cluster.cluster.LoadModel(
            cluster_pb2.LoadModelRequest(path=str(folder), name=name), timeout=60)

    def embed(self, cluster):
        response = cluster.embedding.Embed(embedding_pb2.EmbedRequest(items=ITEMS), timeout=DEADLINE)
        self.assertEqual([code_pb2.OK] * len(ITEMS), [r.status.code for r in response.results])
        return response.space_id, vectors_of(response.results)

    def assert_near(self, expected, found, what):
        self.assertLess(max(abs(a - b) for a, b in zip(expected, found)), 1e-4, what)

    def score(self, cluster):
        with grpc.insecure_channel(cluster.address) as channel:
            return retrieval_pb2_grpc.RetrievalStub(channel).Score(
                retrieval_pb2.ScoreRequest(query=ITEMS[0], candidates=ITEMS[1:2]),
                timeout=DEADLINE).scores[0].score

    def broken(self):
        """A folder in which a tensor is renamed, one mis-shaped and one of a wrong type."""
        folder = pathlib.Path(self.temp.name, "broken")
        folder.mkdir(exist_ok=True)
        golden_folder.write(CLIP, folder)
        path = folder / "model.safetensors"
        content = path.read_bytes()
        size, = struct.unpack("<Q", content[:8])
        header = json.loads(content[8:8 + size])
        shaped = "text_model.encoder.layers.0.mlp.fc1.weight"
        typed = "text_model.encoder.layers.0.mlp.fc2.weight"
        renamed = "text_model.final_layer_norm.bias"
        header[shaped]["shape"] = header[shaped]["shape"][::-1]
        header[typed]["dtype"] = "I32"
        header["text_model.final_norm.bias"] = header.pop(renamed)
        text = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size:])
        return folder, (shaped, typed, renamed, "text_model.final_norm.bias")

    def test_swap_under_load_and_a_broken_folder(self):
        broken, names = self.broken()
        with Cluster(replicas={"text": 2},
                     arguments=["--model", str(self.folders["first"])]) as cluster:
            reference = dict([self.embed(cluster)])
            load = Load(cluster)
            try:
                served = next(iter(reference))
                # The cluster is ready with one text encoder; the other one is to be switched too.
                cluster.wait(lambda: all(replica.state == cluster_pb2.REPLICA_STATE_READY
                                         for replica in cluster.status().replicas),
                             60, "all replicas to be ready")
                cluster.wait(lambda: load.count(served) > 20, 60, "load to flow")
                for name in ("second", "first", "second"):
                    response = self.load_model(cluster, self.folders[name])
                    self.assertEqual(name, response.model.name)
                    self.assertNotEqual(served, response.model.space_id)
                    self.assertEqual({cluster_pb2.LOAD_OUTCOME_LOADED},
                                     {replica.outcome for replica in response.replicas})
                    self.assertEqual(["decoder", "text", "text", "vision"],
                                     sorted(replica.service for replica in response.replicas))
                    served = response.model.space_id
                    before = load.count(served)
                    cluster.wait(lambda: load.count(served) > before + 20, 60,
                                 "load to flow from the new model")
                with self.assertRaises(grpc.RpcError) as refused:
                    self.load_model(cluster, broken)
                self.assertEqual(grpc.StatusCode.INVALID_ARGUMENT, refused.exception.code())
                for name in names:
                    self.assertIn(name, refused.exception.details())
                self.assertIn("'second' stays", refused.exception.details())
                before = load.count(served)
                cluster.wait(lambda: load.count(served) > before + 20, 60,
                             "load to flow from the model that stayed")
            finally:
                load.finish()
            reference.update([self.embed(cluster)])
            cosines = [cosine(*vectors[:2]) for vectors in reference.values()]
            scored = self.score(cluster)
        self.assertEqual([], load.failures[:3])
        self.assertEqual(2, len(reference))
        # No score is made of vectors of the other space, be they kept or not.
        self.assertAlmostEqual(cosines[1], scored, 4)
        self.assertGreater(abs(cosines[0] - cosines[1]), 1e-3)
        self.assertEqual(set(reference), set(load.spaces))
        for space, vectors in load.answers:
            for expected, found in zip(reference[space], vectors):
                if found is not None:
                    self.assert_near(expected, found, f"an answer of space {space}")

    def test_unload_and_load_again_by_command(self):
        with Cluster(arguments=["--model", str(self.folders["first"])]) as cluster:
            before = self.embed(cluster)
            unloaded = json.loads(cluster.cli("model", "unload", "first", "--json").stdout)
            self.assertEqual({"unloaded"}, {r["outcome"] for r in unloaded["replicas"]})
            models = cluster.cluster.ListModels(cluster_pb2.ListModelsRequest(), timeout=10).models
            self.assertEqual(0, len(models))
            with self.assertRaises(grpc.RpcError) as refused:
                self.embed(cluster)
            self.assertEqual(grpc.StatusCode.NOT_FOUND, refused.exception.code())
            self.assertEqual("UNKNOWN_MODEL", details_of(refused.exception)["ErrorInfo"].reason)
            again = cluster.cli("model", "unload", "first", check=False)
            self.assertEqual(1, again.returncode)
            self.assertIn("first", again.stderr)
            missing = cluster.cli("model", "load", self.temp.name + "/nowhere", check=False)
            self.assertEqual(1, missing.returncode)
            self.assertIn("no such folder", missing.stderr)
            loaded = json.loads(cluster.cli(
                "model", "load", str(self.folders["first"]), "--name", "again", "--json").stdout)
            self.assertEqual("again", loaded["model"]["name"])
            self.assertEqual(["text", "image"], loaded["model"]["modalities"])
            after = self.embed(cluster)
        self.assertEqual(before[0], after[0])
        self.assert_near(before[1][0], after[1][0], "the same model")

    def test_a_bundle_without_images_and_a_replica_that_comes_back(self):
        with Cluster(arguments=["--model", str(self.folders["first"])]) as cluster:
            before = self.embed(cluster)
            response = self.load_model(cluster, TEXT_FOLDER, "sentences")
            outcomes = {replica.service: replica.outcome for replica in response.replicas}
            self.assertEqual(cluster_pb2.LOAD_OUTCOME_LOADED, outcomes["text"])
            self.assertEqual(cluster_pb2.LOAD_OUTCOME_NOT_IN_BUNDLE, outcomes["vision"])
            self.assertEqual([modality_pb2.MODALITY_TEXT], list(response.model.modalities))
            results = cluster.embedding.Embed(
                embedding_pb2.EmbedRequest(model="sentences", items=ITEMS[:2]),
                timeout=DEADLINE).results
            self.assertEqual(code_pb2.OK, results[0].status.code, results[0].status)
            self.assertEqual(code_pb2.INVALID_ARGUMENT, results[1].status.code)
            # It starts with what its config says, and is given what the cluster serves.
            self.load_model(cluster, self.folders["second"])
            swapped = self.embed(cluster)
            self.assertNotEqual(before[0], swapped[0])
            pid = cluster.pids()["text-0"]
            os.kill(pid, signal.SIGKILL)
            cluster.wait(lambda: cluster.pids().get("text-0") not in (None, 0, pid), 60,
                         "text-0 to be restarted")
            cluster.wait(lambda: all(r.state == cluster_pb2.REPLICA_STATE_READY
                                     for r in cluster.status().replicas), 60, "text-0 to be ready")
            self.assertEqual(swapped[0], self.embed(cluster)[0])

    def test_off_means_off(self):
        with Cluster(overrides={"router.model_loading": "off"},
                     arguments=["--model", str(self.folders["first"])]) as cluster:
            with self.assertRaises(grpc.RpcError) as refused:
                self.load_model(cluster, self.folders["second"])
            self.assertEqual(grpc.StatusCode.PERMISSION_DENIED, refused.exception.code())
            self.embed(cluster)


if __name__ == "__main__":
    unittest.main()
