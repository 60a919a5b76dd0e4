"""Tests of the table in the documentation."""

import unittest

import report

ALONE = {"name": "cluster.ready_s", "value": 3.14159, "unit": "s", "device": "x", "commit": "abc",
         "date": "2025-01-01T00:00:00Z", "command": "scripts/bench router"}
BESIDE = ALONE | {"name": "cpu.text_encoder", "unit": "texts/s", "peer": "onnxruntime", "peer_value": 2.0, "ratio": 1.57}


class ReportTest(unittest.TestCase):
    def test_a_table_for_each_device(self):
        text = report.markdown([ALONE, BESIDE, ALONE | {"device": "y"}])
        self.assertEqual(text.count("**x**"), 1)
        self.assertEqual(text.count("**y**"), 1)
        self.assertIn("| `cluster.ready_s` | 3.142 s |  |  |  | `abc` | 2025-01-01 |", text)
        self.assertIn("| `cpu.text_encoder` | 3.142 texts/s | onnxruntime | 2 | 1.57 | `abc` | 2025-01-01 |", text)

    def test_replaces_what_stands_between_the_markers_and_nothing_else(self):
        begin, end = report.markers("some")
        document = f"before\n{begin}\nold\n{end}\nafter\n"
        self.assertEqual(report.with_section(document, "some", "new"),
                         f"before\n{begin}\n\nnew\n\n{end}\nafter\n")
        with self.assertRaises(ValueError):
            report.with_section("no markers", "some", "new")
        with self.assertRaises(ValueError):
            report.with_section(document, "another", "new")

    def test_the_document_shows_the_newest_results(self):
        with open(report.DOCUMENT) as file:
            document = file.read()
        self.assertEqual(document, report.with_sections(document, report.newest_records()), "run bench/report.py")


if __name__ == "__main__":
    unittest.main()
