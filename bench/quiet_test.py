"""Tests of telling our own work from that of others."""

import subprocess
import sys
import unittest

import quiet

SPIN = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


class QuietTest(unittest.TestCase):
    def test_idle_and_waiting_for_disks_is_not_work(self):
        self.assertEqual(quiet.busy_ticks("cpu  1 20 300 99 99 4000 50000 600000 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n"), 654321)
        with self.assertRaises(ValueError):
            quiet.busy_ticks("intr 1 2 3")

    def test_share_is_of_all_cores(self):
        self.assertAlmostEqual(quiet.others_share(busy_s=12, own_s=10, wall_s=10, cores=2), 0.1)
        self.assertEqual(quiet.others_share(busy_s=9.9, own_s=10, wall_s=10, cores=2), 0)

    def test_children_that_ended_are_our_own_work(self):
        before = quiet.Watch._now()
        subprocess.run([sys.executable, "-c", SPIN], check=True)
        busy, own, wall = (b - a for a, b in zip(before, quiet.Watch._now()))
        self.assertGreaterEqual(own, 0.5)
        self.assertGreaterEqual(busy, 0.4)
        self.assertGreaterEqual(wall, 0.5)


if __name__ == "__main__":
    unittest.main()
