"""Models with work for some of the services only: a language model alone, bundles without texts or images."""

import hashlib
import json
import pathlib
import tempfile
import threading
import unittest

import grpc

import golden_folder
import tiny_llama
from cluster import MAX_MESSAGE, Cluster, details_of, unpack
from google.rpc import code_pb2
from terminus.v1 import (action_pb2, action_pb2_grpc, cluster_pb2, content_pb2, embedding_pb2, embedding_pb2_grpc,
                         generation_pb2, generation_pb2_grpc, modality_pb2, retrieval_pb2, retrieval_pb2_grpc)

CLIP = golden_folder.read("clip")
BGE = golden_folder.read("bge")
VIT = golden_folder.read("vit")
TEXT = content_pb2.Content(text=BGE["texts"][0]["texts"][0])
CLIP_TEXT = content_pb2.Content(text=CLIP["texts"][0]["texts"][0])
IMAGE = content_pb2.Content(image=golden_folder.pictures(VIT)[0])
OTHER_IMAGE = content_pb2.Content(image=golden_folder.pictures(VIT)[1])
VIDEO = content_pb2.Content(video=content_pb2.Video(
    data=(golden_folder.GOLDEN / "media" / "video" / "h264.mp4").read_bytes()))


class Api:
    """All services of a cluster over a channel of its own."""

    def __init__(self, cluster):
        self.channel = grpc.insecure_channel(cluster.address, options=MAX_MESSAGE)
        self.embedding = embedding_pb2_grpc.EmbeddingStub(self.channel)
        self.generation = generation_pb2_grpc.GenerationStub(self.channel)
        self.retrieval = retrieval_pb2_grpc.RetrievalStub(self.channel)
        self.action = action_pb2_grpc.ActionStub(self.channel)

    def generate(self, number):
        """Ids of the greedy answer to a prompt of the golden."""
        wanted = tiny_llama.answer(number)
        request = generation_pb2.GenerateRequest(sampling=generation_pb2.SamplingParameters(
            temperature=0, max_tokens=len(wanted)))
        request.messages.add(role=generation_pb2.ROLE_USER).parts.add(text=tiny_llama.prompt(number))
        return [token for message in self.generation.Generate(request, timeout=60)
                for token in message.delta.token_ids]

    def tokenize(self, text):
        return list(self.generation.Tokenize(generation_pb2.TokenizeRequest(text=text), timeout=30).token_ids)

    def embed(self, *items):
        return self.embedding.Embed(embedding_pb2.EmbedRequest(items=items), timeout=60)

    def embed_stream(self, item):
        return list(self.embedding.EmbedStream(
            iter([embedding_pb2.EmbedStreamRequest(item=item)]), timeout=30))

    def score(self, query, *candidates):
        return self.retrieval.Score(retrieval_pb2.ScoreRequest(query=query, candidates=candidates), timeout=60)

    def recognize(self):
        return self.action.Recognize(action_pb2.RecognizeRequest(video=VIDEO.video, labels=["a", "b"]), timeout=60)


def bundle(folder, name, **sections):
    """A bundle of folders that lie beside it, such as text="clip"."""
    folder = pathlib.Path(folder, name)
    folder.mkdir()
    dimension = sections.pop("dimension")
    lines = ["format: 1", f"name: {name}", "space:", f"  id: {hashlib.md5(name.encode()).hexdigest()}", f"  dimension: {dimension}"]
    for section, path in sections.items():
        lines += [f"{section}:", f"  path: ../{path}"]
    (folder / "bundle.yaml").write_text("\n".join(lines) + "\n")
    return folder


class PartsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temp.cleanup)
        root = pathlib.Path(cls.temp.name)
        for name, golden in (("clip", CLIP), ("bge", BGE), ("vit", VIT)):
            (root / name).mkdir()
            golden_folder.write(golden, root / name)
        tiny_llama.write(root / "llama")
        cls.root = root
        clip_dimension = len(CLIP["texts"][0]["vectors"][0])
        cls.full = bundle(root, "full", dimension=clip_dimension, text="clip", vision="clip", decoder="llama")
        cls.texts = bundle(root, "texts", dimension=len(BGE["texts"][0]["vectors"][0]), text="bge")
        cls.images = bundle(root, "images", dimension=len(VIT["image_vectors"][0]), vision="vit")

    def load_model(self, cluster, path):
        return cluster.cluster.LoadModel(cluster_pb2.LoadModelRequest(path=str(path)), timeout=60)

    def assert_fails(self, call, code, reason, *words):
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        error = raised.exception
        self.assertEqual(code, error.code(), error.details())
        self.assertEqual(reason, details_of(error)["ErrorInfo"].reason)
        for word in words:
            self.assertIn(word, error.details())

    def assert_item_refused(self, result, field):
        self.assertEqual(code_pb2.INVALID_ARGUMENT, result.status.code, result.status)
        details = unpack(result.status)
        self.assertEqual("UNSUPPORTED_MODALITY", details["ErrorInfo"].reason)
        self.assertEqual(field, details["BadRequest"].field_violations[0].field)

    def assert_language_model_alone(self, api):
        for number in (0, 3):
            self.assertEqual(tiny_llama.answer(number), api.generate(number))
        self.assertEqual(tiny_llama.MODEL["prompts"][3], api.tokenize(tiny_llama.prompt(3)))
        vector = content_pb2.Content()
        vector.embedding.shape.append(0)
        for call in (lambda: api.embed(TEXT), lambda: api.embed(IMAGE), lambda: api.embed(vector),
                     lambda: api.embed_stream(TEXT), lambda: api.score(TEXT, TEXT),
                     lambda: api.score(vector, vector), api.recognize):
            self.assert_fails(call, grpc.StatusCode.FAILED_PRECONDITION, "NO_ENCODER", "makes no vectors")

    def states(self, cluster):
        """{service: state} as `terminus status` has them; fails when its exit code is not 0."""
        status = json.loads(cluster.cli("status", "--state", str(cluster.state), "--json").stdout)
        self.assertTrue(status["ready"])
        return {entry["service"]: entry["state"] for entry in status["processes"]}

    def test_a_language_model_alone(self):
        with Cluster(arguments=["--model", str(self.root / "llama")]) as cluster:
            api = Api(cluster)
            self.assert_language_model_alone(api)
            self.assertEqual({"router": "ready", "decoder": "ready"}, self.states(cluster))
            model, = cluster.cluster.ListModels(cluster_pb2.ListModelsRequest(), timeout=10).models
            self.assertEqual("llama", model.name)
            self.assertTrue(model.generates)
            self.assertEqual((0, []), (model.dimension, list(model.modalities)))
            self.assertEqual(model.space_id, cluster.status().space_id)
            # The command says the same.
            answered = cluster.cli("generate", tiny_llama.prompt(0), "--temperature", "0", "--max-tokens", "2")
            self.assertEqual("w35 w55", answered.stdout.strip())
            for words in (["embed", "a cat"], ["score", "a", "--text", "b"], ["search", "a", "--in", str(self.root)]):
                refused = cluster.cli(*words, check=False)
                self.assertEqual(1, refused.returncode, words)
                self.assertIn("makes no vectors", refused.stderr)
            self.assertIn("terminus generate", (cluster.state / "up.log").read_text())
            # There is no service for such a folder: nothing changes.
            self.assert_fails(lambda: self.load_model(cluster, self.texts), grpc.StatusCode.INVALID_ARGUMENT,
                              "NOT_IN_BUNDLE", "decoder")
            self.assertEqual(tiny_llama.answer(0), api.generate(0))

    def test_a_bundle_and_a_language_model_under_load(self):
        with Cluster(arguments=["--bundle", str(self.full)]) as cluster:
            api = Api(cluster)
            first = golden_folder.vector_of(api.embed(CLIP_TEXT).results[0])
            load = Load(cluster)
            try:
                for _ in range(2):
                    load.wait_for_more()
                    loaded = self.load_model(cluster, self.root / "llama")
                    self.assertEqual("llama", loaded.model.name)
                    self.assertEqual(
                        {"text": cluster_pb2.LOAD_OUTCOME_NOT_IN_BUNDLE,
                         "vision": cluster_pb2.LOAD_OUTCOME_NOT_IN_BUNDLE,
                         "decoder": cluster_pb2.LOAD_OUTCOME_LOADED},
                        {replica.service: replica.outcome for replica in loaded.replicas})
                    self.assert_language_model_alone(api)
                    self.assertEqual({"router": "ready", "text": "idle", "vision": "idle", "decoder": "ready"},
                                     self.states(cluster))
                    load.wait_for_more()
                    loaded = self.load_model(cluster, self.full)
                    self.assertEqual({cluster_pb2.LOAD_OUTCOME_LOADED},
                                     {replica.outcome for replica in loaded.replicas})
                    again = golden_folder.vector_of(api.embed(CLIP_TEXT).results[0])
                    self.assertLess(max(abs(a - b) for a, b in zip(first, again)), 1e-5)
                    self.assertEqual(code_pb2.OK, api.score(CLIP_TEXT, IMAGE).scores[0].status.code)
                load.wait_for_more()
            finally:
                load.finish()
            self.assertEqual([], load.failures[:3])

    def test_bundles_without_images_or_without_texts(self):
        # The vision service is asked for by name, and has nothing to do at first.
        with Cluster(replicas={"vision": 1}, arguments=["--bundle", str(self.texts)]) as cluster:
            api = Api(cluster)
            self.assertEqual({"router": "ready", "text": "ready", "vision": "idle", "decoder": "ready"},
                             self.states(cluster))
            results = api.embed(TEXT, IMAGE, VIDEO).results
            self.assertEqual(code_pb2.OK, results[0].status.code)
            self.assert_item_refused(results[1], "items[1].image")
            self.assert_item_refused(results[2], "items[2].video")
            self.assertEqual(code_pb2.OK, api.score(TEXT, TEXT).scores[0].status.code)
            self.assert_fails(lambda: api.generate(0), grpc.StatusCode.FAILED_PRECONDITION, "NO_LANGUAGE_MODEL")
            loaded = self.load_model(cluster, self.images)
            self.assertEqual([modality_pb2.MODALITY_IMAGE], list(loaded.model.modalities))
            self.assertEqual({"router": "ready", "text": "idle", "vision": "ready", "decoder": "ready"},
                             self.states(cluster))
            results = api.embed(TEXT, IMAGE).results
            self.assert_item_refused(results[0], "items[0].text")
            self.assertEqual(code_pb2.OK, results[1].status.code)
            self.assertEqual(code_pb2.OK, api.score(IMAGE, OTHER_IMAGE).scores[0].status.code)
            self.assert_fails(lambda: api.score(TEXT, IMAGE), grpc.StatusCode.INVALID_ARGUMENT,
                              "UNSUPPORTED_MODALITY", "query")


class Load:
    """Clients without a pause: what both models serve must never fail; vectors may be refused as the language
    model refuses them."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.failures = []
        self.counts = {"generate": 0, "tokenize": 0, "embed": 0, "refused": 0}
        self.threads = [threading.Thread(target=self.repeat, args=(call,))
                        for call in (self.generate, self.generate, self.tokenize, self.embed, self.embed)]
        for thread in self.threads:
            thread.start()

    def repeat(self, call):
        api = Api(self.cluster)
        while not self.stop.is_set():
            try:
                call(api)
            except grpc.RpcError as error:
                with self.lock:
                    self.failures.append(f"{call.__name__}: {error.code()}: {error.details()}")
        api.channel.close()

    def count(self, name, wanted, found):
        with self.lock:
            self.counts[name] += 1
            if wanted != found:
                self.failures.append(f"{name}: {found}, expected {wanted}")

    def generate(self, api):
        self.count("generate", tiny_llama.answer(3), api.generate(3))

    def tokenize(self, api):
        self.count("tokenize", [5, 6], api.tokenize("w5 w6"))

    def embed(self, api):
        try:
            response = api.embed(CLIP_TEXT, IMAGE)
        except grpc.RpcError as error:
            if details_of(error)["ErrorInfo"].reason != "NO_ENCODER":
                raise
            self.count("refused", 0, 0)
            return
        self.count("embed", [0, 0], [result.status.code for result in response.results])

    def wait_for_more(self):
        with self.lock:
            before = dict(self.counts)

        def more():
            with self.lock:
                embeds = self.counts["embed"] + self.counts["refused"]
                return (self.counts["generate"] > before["generate"] + 5
                        and self.counts["tokenize"] > before["tokenize"] + 5
                        and embeds > before["embed"] + before["refused"] + 5)
        self.cluster.wait(more, 60, "load to flow")

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(70)
            if thread.is_alive():
                raise AssertionError("a call hangs past its deadline")


if __name__ == "__main__":
    unittest.main()
