"""Bad input through a real cluster: right code, right details, and nothing else lost."""

import io
import struct
import unittest
import zlib

import grpc
import numpy
from PIL import Image

from cluster import Cluster, details_of, unpack
from google.rpc import code_pb2
from terminus.v1 import cluster_pb2, content_pb2, embedding_pb2, tensor_pb2


def text(value):
    return content_pb2.Content(text=value)


def image(value):
    return content_pb2.Content(image=value)


def encoded(format, size=(320, 240)):
    """A picture with some structure, encoded."""
    y, x = numpy.mgrid[0:size[1], 0:size[0]]
    pixels = numpy.stack([x % 256, y % 256, (x + y) % 256], axis=-1).astype(numpy.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format)
    return buffer.getvalue()


def png_header(width, height):
    """A PNG that is all header: signature, IHDR with a right checksum, and an empty IDAT."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


class BadInputTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def embed(self, items, **options):
        return self.cluster.embedding.Embed(
            embedding_pb2.EmbedRequest(items=items, options=embedding_pb2.EmbedOptions(**options)),
            timeout=60)

    def embed_one(self, item, **options):
        results = self.embed([item], **options).results
        self.assertEqual(1, len(results))
        return results[0]

    def assert_failed(self, result, code, reason, *words):
        self.assertEqual(code, result.status.code, result.status.message)
        info = unpack(result.status).get("ErrorInfo")
        self.assertIsNotNone(info, result.status)
        self.assertEqual(reason, info.reason)
        self.assertEqual("terminus", info.domain)
        for word in words:
            self.assertIn(word, result.status.message)
        self.assertFalse(result.HasField("vector"))

    def assert_fine(self, result):
        self.assertEqual(code_pb2.OK, result.status.code, result.status.message)
        vector = numpy.frombuffer(result.vector.data, "<f4")
        self.assertEqual([384], list(result.vector.shape))
        self.assertAlmostEqual(1.0, float(numpy.linalg.norm(vector)), places=4)

    def test_broken_items_fail_alone(self):
        good_jpeg = encoded("JPEG")
        items = [text("a cat"), text(""), image(good_jpeg), image(b""), image(good_jpeg[:500]),
                 image(b"GIF89a not supported"), image(encoded("PNG")), image(encoded("WEBP")),
                 content_pb2.Content(), text("a dog")]
        results = self.embed(items).results
        self.assertEqual(len(items), len(results))
        # An empty text has its special tokens.
        for good in (0, 1, 2, 6, 7, 9):
            self.assert_fine(results[good])
        self.assert_failed(results[3], code_pb2.INVALID_ARGUMENT, "EMPTY_ITEM")
        self.assert_failed(results[4], code_pb2.INVALID_ARGUMENT, "IMAGE_UNDECODABLE")
        self.assert_failed(results[5], code_pb2.INVALID_ARGUMENT, "UNSUPPORTED_FORMAT", "JPEG")
        self.assert_failed(results[8], code_pb2.INVALID_ARGUMENT, "EMPTY_ITEM")

    def test_field_of_the_broken_item_is_named(self):
        status = self.embed([text("a"), image(b"")]).results[1].status
        violations = unpack(status)["BadRequest"].field_violations
        self.assertEqual(["items[1].image"], [violation.field for violation in violations])

    def test_truncated_images_of_each_format(self):
        for format in ("JPEG", "PNG", "WEBP"):
            with self.subTest(format):
                whole = encoded(format)
                for keep in (len(whole) // 2, len(whole) * 9 // 10):
                    self.assert_failed(self.embed_one(image(whole[:keep])),
                                       code_pb2.INVALID_ARGUMENT, "IMAGE_UNDECODABLE")

    def test_huge_png_header_is_refused(self):
        result = self.embed_one(image(png_header(60000, 60000)))
        self.assert_failed(result, code_pb2.INVALID_ARGUMENT, "IMAGE_TOO_LARGE",
                           "60000", "50000000")

    def test_long_text(self):
        long_text = text("many words " * 2000)
        self.assert_failed(self.embed_one(long_text, truncate=embedding_pb2.TRUNCATE_NONE),
                           code_pb2.INVALID_ARGUMENT, "TEXT_TOO_LONG", "256")
        result = self.embed_one(long_text, truncate=embedding_pb2.TRUNCATE_END)
        self.assert_fine(result)
        self.assertTrue(result.truncated)
        self.assertEqual(256, result.cost.tokens)
        self.assertFalse(self.embed_one(text("short")).truncated)

    def test_invalid_utf8_fails_alone(self):
        # Written by hand: no client library lets an invalid text through.
        bad_content = b"\x0a\x03a\xff\xfe"
        good_content = text("fine").SerializeToString()
        request = b"".join(b"\x12" + bytes([len(c)]) + c for c in (good_content, bad_content))
        call = self.cluster.channel.unary_unary(
            "/terminus.v1.Embedding/Embed",
            response_deserializer=embedding_pb2.EmbedResponse.FromString)
        results = call(request, timeout=30).results
        self.assert_fine(results[0])
        self.assert_failed(results[1], code_pb2.INVALID_ARGUMENT, "INVALID_UTF8")

    def test_unknown_model(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.cluster.embedding.Embed(
                embedding_pb2.EmbedRequest(model="nonesuch", items=[text("a")]), timeout=10)
        self.assertEqual(grpc.StatusCode.NOT_FOUND, raised.exception.code())
        self.assertIn("nonesuch", raised.exception.details())
        self.assertEqual("UNKNOWN_MODEL", details_of(raised.exception)["ErrorInfo"].reason)

    def test_no_items_and_too_many_items(self):
        for items in ([], [text("a")] * 257):
            with self.subTest(len(items)), self.assertRaises(grpc.RpcError) as raised:
                self.embed(items)
            self.assertEqual(grpc.StatusCode.INVALID_ARGUMENT, raised.exception.code())
            violations = details_of(raised.exception)["BadRequest"].field_violations
            self.assertEqual("items", violations[0].field)

    def test_message_over_the_limit(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.embed([image(bytes(65 << 20))])
        self.assertEqual(grpc.StatusCode.RESOURCE_EXHAUSTED, raised.exception.code())
        self.assert_fine(self.embed_one(text("still here")))

    def test_expired_deadline(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.cluster.embedding.Embed(embedding_pb2.EmbedRequest(items=[text("a")] * 256),
                                         timeout=0.001)
        self.assertEqual(grpc.StatusCode.DEADLINE_EXCEEDED, raised.exception.code())
        self.assert_nothing_left()

    def test_client_that_leaves(self):
        pictures = [image(encoded("JPEG", (1200 + i, 900))) for i in range(64)]
        call = self.cluster.embedding.Embed.future(embedding_pb2.EmbedRequest(items=pictures),
                                                   timeout=60)
        self.cluster.wait(lambda: self.cluster.status().admitted_items > 0, 10, "admission")
        call.cancel()
        self.assert_nothing_left()
        queues = self.cluster.cluster.ExplainBatching(cluster_pb2.ExplainBatchingRequest(),
                                                      timeout=5).queues
        self.assertGreater(sum(queue.cancelled for queue in queues), 0)

    def assert_nothing_left(self):
        self.cluster.wait(
            lambda: self.cluster.status().admitted_items == 0
            and all(r.outstanding_batches == 0 for r in self.cluster.status().replicas),
            20, "all permits to come back")

    def test_stream_answers_each_item(self):
        def requests():
            for i in range(100):
                yield embedding_pb2.EmbedStreamRequest(
                    correlation_id=i, item=image(b"") if i % 10 == 0 else text(f"text {i}"))
        seen = {}
        for response in self.cluster.embedding.EmbedStream(requests(), timeout=60):
            self.assertNotIn(response.correlation_id, seen)
            seen[response.correlation_id] = response.result
        self.assertEqual(set(range(100)), set(seen))
        for i, result in seen.items():
            if i % 10 == 0:
                self.assert_failed(result, code_pb2.INVALID_ARGUMENT, "EMPTY_ITEM")
            else:
                self.assert_fine(result)

    def test_embedding_of_the_wrong_dimension(self):
        vector = tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[3], data=bytes(12))
        result = self.embed_one(content_pb2.Content(embedding=vector))
        self.assert_failed(result, code_pb2.INVALID_ARGUMENT, "INVALID_REQUEST", "384")

    def test_loading_a_model_without_a_path(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.cluster.cluster.LoadModel(cluster_pb2.LoadModelRequest(), timeout=5)
        self.assertEqual(grpc.StatusCode.INVALID_ARGUMENT, raised.exception.code())
        self.assertIn("path", raised.exception.details())


if __name__ == "__main__":
    unittest.main()
