"""kill -9 and SIGSTOP of each service under load of every kind."""

import os
import signal
import time
import unittest

import grpc

import mixed_load
from cluster import Cluster
from terminus.v1 import cluster_pb2

DEADLINE = 10.0
SERVICES = ("text-0", "vision-0", "video-0", "decoder-0", "router")


class SignalsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        mixed_load.warm_up(cls.cluster)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def all_ready(self):
        status = self.cluster.status()
        return status.ready and all(replica.state == cluster_pb2.REPLICA_STATE_READY for replica in status.replicas)

    def check_after(self, load, before):
        self.assertLessEqual(load.seen(), mixed_load.ALLOWED, load.codes)
        self.assertLess(load.longest, DEADLINE + 5)
        self.cluster.wait(lambda: self.cluster.status().admitted_items == 0, 15, "permits to come back")
        self.cluster.wait(lambda: mixed_load.kv_blocks_used(self.cluster) == 0, 15, "KV blocks to come back")
        self.cluster.wait(lambda: not mixed_load.grown(before, mixed_load.held(self.cluster)), 15,
                          "threads and memory to come back")

    def test_killed(self):
        for name in SERVICES:
            with self.subTest(name):
                before = mixed_load.held(self.cluster)
                pid = self.cluster.pids()[name]
                with mixed_load.MixedLoad(self.cluster, DEADLINE) as load:
                    self.cluster.wait(lambda: load.answered() > 2, 60, "load to flow")
                    os.kill(pid, signal.SIGKILL)
                    self.cluster.wait(lambda: self.cluster.pids().get(name) not in (None, 0, pid), 60,
                                      f"{name} to be restarted")
                    self.cluster.wait(self.all_ready, 60, f"{name} to be ready")
                    answered = load.answered()
                    self.cluster.wait(lambda: load.answered() > answered + 2, 60, "load to flow again")
                self.check_after(load, before)

    def test_stopped_and_continued(self):
        for name in SERVICES:
            with self.subTest(name):
                before = mixed_load.held(self.cluster)
                pid = self.cluster.pids()[name]
                with mixed_load.MixedLoad(self.cluster, 4.0) as load:
                    self.cluster.wait(lambda: load.answered() > 2, 60, "load to flow")
                    os.kill(pid, signal.SIGSTOP)
                    try:
                        # Longer than the deadline, so that every call meets it.
                        time.sleep(6)
                    finally:
                        os.kill(pid, signal.SIGCONT)
                    self.cluster.wait(self.all_ready, 60, f"{name} to be ready")
                    answered = load.answered()
                    self.cluster.wait(lambda: load.answered() > answered + 2, 60, "load to flow again")
                self.assertEqual(pid, self.cluster.pids()[name], "it was restarted although it lives")
                self.check_after(load, before)


if __name__ == "__main__":
    unittest.main()
