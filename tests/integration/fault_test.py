"""A replica killed with -9 under load: nothing hangs, nothing gets a wrong code, it comes back."""

import os
import signal
import threading
import time
import unittest

import grpc

from cluster import Cluster
from google.rpc import code_pb2
from terminus.v1 import cluster_pb2, content_pb2, embedding_pb2

DEADLINE = 20.0


class Load:
    """Closed-loop clients; keeps the codes of all results and the longest call."""

    def __init__(self, cluster, clients):
        self.cluster = cluster
        self.stop = threading.Event()
        self.lock = threading.Lock()
        self.codes = {}
        self.longest = 0.0
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def run(self, seed):
        count = 0
        while not self.stop.is_set():
            count += 1
            items = [content_pb2.Content(text=f"client {seed}, call {count}, item {i}")
                     for i in range(4)]
            start = time.monotonic()
            try:
                response = self.cluster.embedding.Embed(
                    embedding_pb2.EmbedRequest(items=items), timeout=DEADLINE)
                codes = [result.status.code for result in response.results]
                assert len(codes) == 4
            except grpc.RpcError as error:
                codes = [error.code().value[0]]
            with self.lock:
                self.longest = max(self.longest, time.monotonic() - start)
                for code in codes:
                    self.codes[code] = self.codes.get(code, 0) + 1

    def finish(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(DEADLINE + 10)
            if thread.is_alive():
                raise AssertionError("a call hangs past its deadline")

    def count(self, code):
        with self.lock:
            return self.codes.get(code, 0)


class FaultTest(unittest.TestCase):
    def test_one_of_two_replicas_killed_under_load(self):
        with Cluster(replicas={"text": 2}) as cluster:
            pids = cluster.pids()
            victims = [name for name in pids if name.startswith("text")]
            self.assertEqual(2, len(victims))
            load = Load(cluster, 8)
            try:
                cluster.wait(lambda: load.count(code_pb2.OK) > 100, 60, "load to flow")
                os.kill(pids[victims[0]], signal.SIGKILL)
                before = load.count(code_pb2.OK)
                cluster.wait(lambda: load.count(code_pb2.OK) > before + 200, 60,
                             "load to flow on the other replica")
                self.wait_until_back(cluster, victims[0], pids[victims[0]])
            finally:
                load.finish()
            self.assertLessEqual(set(load.codes), {code_pb2.OK, code_pb2.UNAVAILABLE})
            # Retried once elsewhere, so the healthy replica answers what the dead one had.
            self.assertEqual(0, load.codes.get(code_pb2.UNAVAILABLE, 0), load.codes)
            self.assertLess(load.longest, DEADLINE)

    def test_the_only_replica_killed_under_load(self):
        with Cluster() as cluster:
            pid = cluster.pids()["text-0"]
            load = Load(cluster, 4)
            try:
                cluster.wait(lambda: load.count(code_pb2.OK) > 50, 60, "load to flow")
                os.kill(pid, signal.SIGKILL)
                self.wait_until_back(cluster, "text-0", pid)
                before = load.count(code_pb2.OK)
                cluster.wait(lambda: load.count(code_pb2.OK) > before + 50, 60,
                             "load to flow again")
            finally:
                load.finish()
            self.assertLessEqual(set(load.codes), {code_pb2.OK, code_pb2.UNAVAILABLE}, load.codes)
            self.assertLess(load.longest, DEADLINE)
            cluster.wait(lambda: cluster.status().admitted_items == 0, 10, "permits to come back")

    def wait_until_back(self, cluster, name, old_pid):
        cluster.wait(lambda: cluster.pids().get(name) not in (None, 0, old_pid), 60,
                     f"{name} to be restarted")
        cluster.wait(lambda: cluster.status().ready
                     and all(r.state == cluster_pb2.REPLICA_STATE_READY
                             for r in cluster.status().replicas), 60, f"{name} to be ready")


if __name__ == "__main__":
    unittest.main()
