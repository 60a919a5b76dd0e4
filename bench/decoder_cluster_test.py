"""Tests of reading a scrape."""

import unittest

import decoder_cluster

SCRAPE = """# HELP a_sum Not this line.
a_sum{kind="b"} 1
a_sum 2.5
other_a_sum 3
"""


class SampleTest(unittest.TestCase):
    def test_the_sample_without_labels(self):
        self.assertEqual(decoder_cluster.sample(SCRAPE, "a_sum"), 2.5)

    def test_a_metric_that_is_not_there_is_an_error(self):
        with self.assertRaisesRegex(RuntimeError, "no metric a_count"):
            decoder_cluster.sample(SCRAPE, "a_count")


if __name__ == "__main__":
    unittest.main()
