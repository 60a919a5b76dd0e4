"""What an operator relies on: health, reflection, metrics, headers, the command line, examples."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import grpc
import numpy
from PIL import Image

from cluster import BUILD, Cluster, details_of
from google.protobuf import message_factory
from google.rpc import code_pb2
from reflection import Reflection
from terminus.v1 import cluster_pb2, content_pb2, embedding_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]


class OperationsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def addresses(self):
        status = self.cluster.status()
        return [self.cluster.address] + [replica.address for replica in status.replicas]

    def test_health_on_every_process(self):
        for address in self.addresses():
            with self.subTest(address), grpc.insecure_channel(address) as channel:
                answer = channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10)
                self.assertEqual(b"\x08\x01", answer)  # status: SERVING

    def test_reflection_on_every_process(self):
        for address in self.addresses():
            for version in ("v1", "v1alpha"):
                with self.subTest(f"{address} {version}"), grpc.insecure_channel(address) as channel:
                    reflection = Reflection(channel, version)
                    services = reflection.services()
                    self.assertTrue(any(name.startswith("terminus.v1.") for name in services), services)
                    for name in services:
                        self.assertGreater(len(reflection.pool_of(name).FindServiceByName(name).methods), 0)

    def test_health_is_called_by_what_reflection_says(self):
        with grpc.insecure_channel(self.cluster.address) as channel:
            for version in ("v1", "v1alpha"):
                pool = Reflection(channel, version).pool_of("grpc.health.v1.Health")
                method = pool.FindServiceByName("grpc.health.v1.Health").methods_by_name["Check"]
                request, response = (message_factory.GetMessageClass(kind)
                                     for kind in (method.input_type, method.output_type))
                check = channel.unary_unary("/grpc.health.v1.Health/Check",
                                            request_serializer=request.SerializeToString,
                                            response_deserializer=response.FromString)
                status = check(request(), timeout=10).status
                self.assertEqual("SERVING", method.output_type.enum_types_by_name["ServingStatus"]
                                 .values_by_number[status].name)

    def test_unknown_methods_carry_details_on_every_process(self):
        for address in self.addresses():
            with self.subTest(address), grpc.insecure_channel(address) as channel:
                for method in ("/terminus.v1.Nonesuch/Embed", "/grpc.health.v1.Health/Chek"):
                    with self.assertRaises(grpc.RpcError) as raised:
                        channel.unary_unary(method)(b"", timeout=10)
                    self.assertEqual(grpc.StatusCode.UNIMPLEMENTED, raised.exception.code())
                    self.assertIn(method, raised.exception.details())
                    info = details_of(raised.exception)["ErrorInfo"]
                    self.assertEqual(("UNKNOWN_METHOD", "terminus"), (info.reason, info.domain))
                self.assertIn("the nearest is /grpc.health.v1.Health/Check", raised.exception.details())

    def test_metrics_on_every_process(self):
        self.cluster.embedding.Embed(
            embedding_pb2.EmbedRequest(items=[content_pb2.Content(text="measure me")]), timeout=30)
        pages = self.cluster.metrics()
        self.assertEqual(5, len(pages))
        for address, page in pages.items():
            with self.subTest(address):
                self.assertIn("terminus_build_info", page)
                self.assertIn("process_resident_memory_bytes", page)
        router = pages[self.cluster.status().metrics_address]
        for histogram in ("terminus_router_queue_seconds", "terminus_router_batch_items",
                          "terminus_router_compute_seconds", "terminus_router_request_seconds"):
            self.assertIn(f"{histogram}_bucket", router)
        for replica in self.cluster.status().replicas:
            page = pages[replica.metrics_address]
            name = "decoder_step" if replica.service == "decoder" else "encoder_compute"
            self.assertIn(f"terminus_{name}_seconds_bucket", page)

    def test_request_id_and_timings_come_back(self):
        _, call = self.cluster.embedding.Embed.with_call(
            embedding_pb2.EmbedRequest(items=[content_pb2.Content(text="a")]), timeout=30,
            metadata=[("x-request-id", "abc-123")])
        trailers = dict(call.trailing_metadata())
        self.assertEqual("abc-123", trailers["x-request-id"])
        for name in ("terminus-queue-ms", "terminus-preprocess-ms", "terminus-compute-ms"):
            self.assertGreaterEqual(float(trailers[name]), 0.0)

    def test_models_and_batching_are_told(self):
        models = self.cluster.cluster.ListModels(cluster_pb2.ListModelsRequest(), timeout=5).models
        self.assertEqual([384], [model.dimension for model in models])
        self.assertEqual(256, models[0].max_tokens)
        self.assertEqual(self.cluster.status().space_id, models[0].space_id)
        queues = self.cluster.cluster.ExplainBatching(cluster_pb2.ExplainBatchingRequest(),
                                                      timeout=5).queues
        self.assertTrue(all(queue.max_batch_items > 0 for queue in queues))

    def test_dtypes_and_dimension(self):
        def embed(**options):
            response = self.cluster.embedding.Embed(
                embedding_pb2.EmbedRequest(items=[content_pb2.Content(text="a red apple")],
                                           options=embedding_pb2.EmbedOptions(**options)),
                timeout=30)
            self.assertEqual(code_pb2.OK, response.results[0].status.code)
            return response.results[0].vector
        full = numpy.frombuffer(embed().data, "<f4")
        half = numpy.frombuffer(embed(dtype=2).data, "<f2").astype(numpy.float32)
        numpy.testing.assert_allclose(full, half, atol=1e-3)
        eight = numpy.frombuffer(embed(dtype=4).data, numpy.int8)
        self.assertEqual(127, numpy.abs(eight.astype(int)).max())
        bits = numpy.unpackbits(numpy.frombuffer(embed(dtype=8).data, numpy.uint8))
        numpy.testing.assert_array_equal(full > 0, bits[:384].astype(bool))
        short = numpy.frombuffer(embed(dimension=64).data, "<f4")
        numpy.testing.assert_allclose(full[:64] / numpy.linalg.norm(full[:64]), short, atol=1e-5)

    def test_command_line(self):
        embedded = json.loads(self.cluster.cli("embed", "a cat", "--json").stdout)
        self.assertEqual(1, len(embedded["results"]))
        with tempfile.TemporaryDirectory() as folder:
            for name, colour in (("red", (200, 0, 0)), ("green", (0, 200, 0))):
                Image.new("RGB", (64, 64), colour).save(f"{folder}/{name}.png")
            pathlib.Path(folder, "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
            page = pathlib.Path(folder, "page.html")
            found = json.loads(self.cluster.cli(
                "search", "something red", "--in", folder, "--json").stdout)
            self.assertEqual(2, len(found["results"]))
            self.assertEqual(1, len(found["failed"]))
            self.cluster.cli("search", "something red", "--in", folder, "--html", str(page))
            self.assertIn("data:image/", page.read_text())

    def test_command_line_says_what_to_do_without_a_cluster(self):
        result = subprocess.run(
            [str(BUILD / "bin" / "terminus"), "embed", "x", "--address", "127.0.0.1:1"],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(1, result.returncode)
        self.assertIn("terminus up", result.stderr)

    def test_python_examples(self):
        with tempfile.TemporaryDirectory() as folder:
            for i in range(3):
                Image.new("RGB", (64, 64), (80 * i, 40, 40)).save(f"{folder}/{i}.png")
            for arguments in (["embed.py", "a cat", "a dog"],
                              ["generate.py", "Say yes.", "--max-tokens", "4", "--seed", "1"],
                              ["stream_embed.py", folder],
                              ["search.py", "something red", folder]):
                with self.subTest(arguments[0]):
                    result = subprocess.run(
                        [sys.executable, str(ROOT / "examples" / "python" / arguments[0]),
                         "--address", self.cluster.address, *arguments[1:]],
                        capture_output=True, text=True, timeout=120,
                        env={**os.environ, "PYTHONPATH": str(BUILD / "python")})
                    self.assertEqual(0, result.returncode, result.stderr)
                    self.assertTrue(result.stdout.strip())


if __name__ == "__main__":
    unittest.main()
