"""Tests of the arithmetic and of the lines that figures are stored as."""

import json
import math
import os
import tempfile
import unittest

import figures

CONTEXT = {"device": "a CPU, 2 cores", "commit": "abc", "date": "2025-01-01T00:00:00Z", "command": "scripts/bench cpu"}


class AgainstTest(unittest.TestCase):
    def test_ratio_is_the_median_of_paired_ratios_not_the_ratio_of_medians(self):
        figure = figures.against("x", "1/s", "peer", [10.0, 40.0, 90.0], [10.0, 20.0, 30.0])
        self.assertEqual(figure.ratio, 2.0)
        self.assertEqual((figure.value, figure.peer_value), (40.0, 20.0))
        self.assertEqual(figure.spread, (1.0, 3.0))

    def test_a_time_gains_by_being_smaller(self):
        figure = figures.against("x", "ms", "peer", [5.0], [10.0], lower_is_better=True)
        self.assertEqual(figure.ratio, 2.0)

    def test_refuses_rounds_without_a_partner(self):
        with self.assertRaises(ValueError):
            figures.against("x", "1/s", "peer", [1.0, 2.0], [1.0])
        with self.assertRaises(ValueError):
            figures.against("x", "1/s", "peer", [], [])


class CosineTest(unittest.TestCase):
    def test_is_that_of_the_worst_row(self):
        self.assertAlmostEqual(figures.smallest_cosine([1.0, 0.0, 3.0, 4.0], [2.0, 0.0, 4.0, 3.0], 2), 24 / 25)

    def test_zeros_and_nans_agree_with_nothing(self):
        self.assertEqual(figures.smallest_cosine([0.0, 0.0], [1.0, 0.0], 2), -1.0)
        self.assertEqual(figures.smallest_cosine([math.nan, 1.0], [1.0, 1.0], 2), -1.0)

    def test_refuses_shapes_that_differ(self):
        with self.assertRaises(ValueError):
            figures.smallest_cosine([1.0, 2.0], [1.0], 1)
        with self.assertRaises(ValueError):
            figures.smallest_cosine([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 2)


class DeviceTest(unittest.TestCase):
    CPUINFO = "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2{}\n\nprocessor\t: 1\nflags\t: fpu\n"

    def test_says_what_the_kernels_choose_by(self):
        self.assertEqual(figures.device_name(self.CPUINFO.format(""), 2), "AMD EPYC (AVX2), 2 cores")
        self.assertEqual(figures.device_name(self.CPUINFO.format(" avx512f"), 1), "AMD EPYC (AVX-512), 1 core")

    def test_without_flags_or_name(self):
        self.assertEqual(figures.device_name("CPU part\t: 0xd40\n", 4, "aarch64"), "aarch64, 4 cores")

    def test_this_machine_has_a_name(self):
        self.assertRegex(figures.cpu_device(), r"^.+, \d+ cores?$")


class LineTest(unittest.TestCase):
    def test_with_a_peer(self):
        figure = figures.against("cpu.text_encoder", "texts/s", "onnxruntime", [200.0], [100.0])
        self.assertEqual(list(json.loads(figures.line(figure, CONTEXT)).items()), [
            ("name", "cpu.text_encoder"), ("value", 200.0), ("unit", "texts/s"), ("peer", "onnxruntime"),
            ("peer_value", 100.0), ("ratio", 2.0), ("device", "a CPU, 2 cores"), ("commit", "abc"),
            ("date", "2025-01-01T00:00:00Z"), ("command", "scripts/bench cpu")])

    def test_without_a_peer_leaves_its_fields_out(self):
        record = json.loads(figures.line(figures.alone("cluster.ready_s", "s", [3.0, 4.0, 2.0]), CONTEXT))
        self.assertEqual(record["value"], 3.0)
        self.assertFalse({"peer", "peer_value", "ratio", "spread"} & record.keys())

    def test_appends_lines_that_newest_reads_back(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "results", "cpu.jsonl")
            figures.append(path, [figures.alone("a", "s", [1.0]), figures.alone("b", "s", [2.0])], CONTEXT)
            figures.append(path, [figures.alone("a", "s", [3.0])], CONTEXT)
            with open(path) as file:
                records = figures.newest(file)
        self.assertEqual([(r["name"], r["value"]) for r in records], [("a", 3.0), ("b", 2.0)])

    def test_newest_keeps_peers_and_devices_apart(self):
        lines = [json.dumps({"name": "a", "device": "x", "value": 1}),
                 json.dumps({"name": "a", "device": "y", "value": 2}),
                 json.dumps({"name": "a", "device": "x", "peer": "p", "value": 3})]
        self.assertEqual([r["value"] for r in figures.newest(lines)], [1, 2, 3])


class TableTest(unittest.TestCase):
    def test_shows_ratio_and_spread(self):
        text = figures.table([figures.against("x", "1/s", "peer", [10.0, 30.0], [10.0, 10.0])])
        self.assertIn("2.00", text)
        self.assertIn("1 to 3", text)


if __name__ == "__main__":
    unittest.main()
