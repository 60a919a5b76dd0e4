"""Past its permits the router refuses at the door, says when to come back, and loses nothing."""

import unittest

import grpc

from cluster import Cluster, details_of
from google.rpc import code_pb2
from terminus.v1 import content_pb2, embedding_pb2


class OverloadTest(unittest.TestCase):
    def test_refusal_with_a_retry_delay(self):
        with Cluster(overrides={"router.admission.max_items": 64}) as cluster:
            request = embedding_pb2.EmbedRequest(
                items=[content_pb2.Content(text=f"words to embed, number {i}") for i in range(32)])
            calls = [cluster.embedding.Embed.future(request, timeout=60) for _ in range(40)]
            refused = 0
            for call in calls:
                try:
                    results = call.result().results
                    self.assertEqual([code_pb2.OK] * 32, [r.status.code for r in results])
                except grpc.RpcError as error:
                    self.assertEqual(grpc.StatusCode.RESOURCE_EXHAUSTED, error.code())
                    details = details_of(error)
                    self.assertEqual("OVERLOADED", details["ErrorInfo"].reason)
                    self.assertGreater(details["RetryInfo"].retry_delay.ToNanoseconds(), 0)
                    refused += 1
            self.assertGreater(refused, 0)
            self.assertLess(refused, 40)
            cluster.wait(lambda: cluster.status().admitted_items == 0, 10, "permits to come back")


if __name__ == "__main__":
    unittest.main()
