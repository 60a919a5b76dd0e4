"""Clients that leave, that read slowly, and that only connect."""

import socket
import time
import unittest

import grpc

import mixed_load
from cluster import Cluster
from terminus.v1 import generation_pb2_grpc

CLIENTS = 500
CONNECTIONS = 2000


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        mixed_load.warm_up(cls.cluster)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def check_after(self, before):
        self.cluster.wait(lambda: self.cluster.status().admitted_items == 0, 20, "permits to come back")
        self.cluster.wait(lambda: mixed_load.kv_blocks_used(self.cluster) == 0, 20, "KV blocks to come back")
        self.cluster.wait(lambda: not mixed_load.grown(before, mixed_load.held(self.cluster)), 20,
                          "threads and memory to come back")
        # It still serves.
        mixed_load.warm_up(self.cluster)

    def test_500_clients_leave_in_the_middle_of_their_streams(self):
        before = mixed_load.held(self.cluster)
        generation = generation_pb2_grpc.GenerationStub(self.cluster.channel)
        calls = [generation.Generate(mixed_load.prompt(f"Tell me about the number {i}.", 200), timeout=60)
                 for i in range(CLIENTS)]
        # Some have begun to stream by now, most wait or were refused.
        first = next(iter(calls[0]))
        self.assertTrue(first.HasField("delta"))
        for call in calls:
            call.cancel()
        codes = {call.code() for call in calls}
        self.assertLessEqual(codes, {grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED})
        self.assertIn(grpc.StatusCode.CANCELLED, codes)
        self.check_after(before)

    def test_a_slow_reader_holds_nobody_up(self):
        before = mixed_load.held(self.cluster)
        generation = generation_pb2_grpc.GenerationStub(self.cluster.channel)
        slow = generation.Generate(mixed_load.prompt("Write a long story about a river.", 400), timeout=60)
        next(iter(slow))
        start = time.monotonic()
        with mixed_load.MixedLoad(self.cluster, 20.0) as load:
            self.cluster.wait(lambda: load.answered() > 3, 60, "others to be served")
        self.assertLessEqual(load.seen(), {0}, load.codes)
        self.assertLess(time.monotonic() - start, 90)
        slow.cancel()
        self.check_after(before)

    def test_2000_idle_connections(self):
        before = mixed_load.held(self.cluster)
        host, port = self.cluster.address.split(":")
        connections = []
        try:
            for _ in range(CONNECTIONS):
                connections.append(socket.create_connection((host, int(port)), timeout=10))
            mixed_load.warm_up(self.cluster)
            threads = mixed_load.held(self.cluster)["router"][0]
            self.assertLess(threads, before["router"][0] + 8, "a thread for each connection?")
        finally:
            for connection in connections:
                connection.close()
        self.check_after(before)


if __name__ == "__main__":
    unittest.main()
