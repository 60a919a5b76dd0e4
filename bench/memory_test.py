"""Tests of reading the memory of processes."""

import os
import subprocess
import sys
import unittest

import memory


class MemoryTest(unittest.TestCase):
    def test_pss_is_not_one_of_its_parts(self):
        text = "55d0-7ffe ---p 0 00:00 0 [rollup]\nRss: 900 kB\nPss: 512 kB\nPss_Anon: 100 kB\nPss_File: 412 kB\n"
        self.assertEqual(memory.pss_kib(text), 512)
        with self.assertRaises(ValueError):
            memory.pss_kib("Rss: 900 kB\nPss_Anon: 100 kB\n")

    def test_descendants_are_found_over_two_generations(self):
        child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
        with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            self.assertEqual(len(memory.descendants(process.pid)), 2)
            self.assertIn(process.pid, memory.descendants(os.getpid()))
            process.communicate(b"\n")

    def test_a_tree_takes_more_than_its_root_alone(self):
        with subprocess.Popen([sys.executable, "-c", "print(1, flush=True); input()"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            alone = memory.tree_pss_mib(process.pid)
            self.assertGreater(alone, 0.5)
            self.assertGreater(memory.tree_pss_mib(os.getpid()), alone)
            process.communicate(b"\n")


if __name__ == "__main__":
    unittest.main()
