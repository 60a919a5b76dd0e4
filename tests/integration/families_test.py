"""`terminus up --model FOLDER` gives transformers' vectors for a folder of each family of encoders.

The whole way: texts as characters, pictures as files of odd sizes, through gRPC, one at a time and
together. The goldens are made by tests/golden/models/make_served_goldens.py.
"""

import math
import re
import tempfile
import unittest

import golden_folder
from cluster import Cluster
from google.rpc import code_pb2
from terminus.v1 import cluster_pb2, content_pb2, embedding_pb2, modality_pb2

# Largest absolute difference of an element.
BOUND = 1e-4


def unit(vector):
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector]


def batches_and_items(cluster):
    """Batches that the router sent and the items in them."""
    pages = "\n".join(cluster.metrics().values())

    def total(what):
        found = re.findall(rf"^terminus_router_batch_items_{what}(?:{{.*}})? (\S+)$", pages, re.M)
        return sum(map(float, found))
    return total("count"), total("sum")


class FamiliesTest(unittest.TestCase):
    def compare(self, what, result, wanted):
        self.assertEqual(code_pb2.OK, result.status.code, f"{what}: {result.status.message}")
        vector = golden_folder.vector_of(result)
        self.assertEqual(len(wanted), len(vector), what)
        self.assertLess(max(abs(a - b) for a, b in zip(vector, wanted)), BOUND, what)

    def compare_group(self, cluster, contents, vectors, prompt_name=""):
        """Embeds the contents one at a time, at length 1, and all at once as the model gives them."""
        options = embedding_pb2.EmbedOptions(prompt_name=prompt_name)
        for number, (content, wanted) in enumerate(zip(contents, vectors)):
            response = cluster.embedding.Embed(
                embedding_pb2.EmbedRequest(items=[content], options=options), timeout=30)
            self.compare(f"item {number} alone, {prompt_name!r}", response.results[0], unit(wanted))
        options.no_normalize = True
        batches, items = batches_and_items(cluster)
        response = cluster.embedding.Embed(
            embedding_pb2.EmbedRequest(items=contents, options=options), timeout=30)
        self.assertEqual(len(vectors), len(response.results))
        for number, (result, wanted) in enumerate(zip(response.results, vectors)):
            self.compare(f"item {number} together, {prompt_name!r}", result, wanted)
        more_batches, more_items = batches_and_items(cluster)
        self.assertEqual(len(contents), more_items - items)
        self.assertLess(more_batches - batches, len(contents), "nothing was batched")
        return response.results

    def compare_texts(self, cluster, group):
        contents = [content_pb2.Content(text=text) for text in group["texts"]]
        results = self.compare_group(cluster, contents, group["vectors"], group["prompt_name"])
        self.assertEqual(group["tokens"], [result.cost.tokens for result in results])
        # The last is made to be too long.
        self.assertTrue(results[-1].truncated)
        self.assertFalse(results[0].truncated)

    def check(self, name):
        golden = golden_folder.read(name)
        with tempfile.TemporaryDirectory() as folder:
            golden_folder.write(golden, folder)
            with Cluster(arguments=["--model", folder]) as cluster:
                models = cluster.cluster.ListModels(cluster_pb2.ListModelsRequest(),
                                                    timeout=10).models
                for group in golden.get("texts", []):
                    self.compare_texts(cluster, group)
                if "images" in golden:
                    contents = [content_pb2.Content(image=p)
                                for p in golden_folder.pictures(golden)]
                    self.compare_group(cluster, contents, golden["image_vectors"])
        wanted = ({modality_pb2.MODALITY_TEXT} if "texts" in golden else set()) | (
            {modality_pb2.MODALITY_IMAGE} if "images" in golden else set())
        self.assertEqual(wanted, {m for model in models for m in model.modalities})
        self.assertEqual(1, len({model.space_id for model in models}))

    def test_clip(self):
        self.check("clip")

    def test_siglip(self):
        self.check("siglip")

    def test_siglip2_of_a_fixed_resolution(self):
        self.check("siglip2")

    def test_bge(self):
        self.check("bge")

    def test_e5(self):
        self.check("e5")

    def test_qwen3_embedding(self):
        self.check("qwen3")

    def test_vit(self):
        self.check("vit")

    def test_dinov2(self):
        self.check("dinov2")

    def test_resnet(self):
        self.check("resnet")


if __name__ == "__main__":
    unittest.main()
