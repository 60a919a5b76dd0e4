"""What surrounds the cluster fails: the disk that its logs go to is full."""

import os
import unittest

import mixed_load
from cluster import Cluster


class FullDiskTest(unittest.TestCase):
    def test_logs_that_cannot_be_written_stop_nothing(self):
        with Cluster() as cluster:
            logs = sorted(path for path in cluster.state.rglob("*.log") if path.name != "up.log")
            self.assertGreaterEqual(len(logs), 3, logs)
            # Every write ends with ENOSPC, as on a full disk, once the process opens its log anew.
            for log in logs:
                log.unlink()
                os.symlink("/dev/full", log)
            for name, pid in cluster.pids().items():
                if name != "router":
                    os.kill(pid, 9)
            cluster.wait(lambda: not cluster.status().ready, 30, "the cluster to notice")
            cluster.wait(lambda: cluster.status().ready, 90, "services to come back with a full disk")
            mixed_load.warm_up(cluster)


if __name__ == "__main__":
    unittest.main()
