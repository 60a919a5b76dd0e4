"""Tests of interleaving."""

import unittest

import rounds


class InterleavedTest(unittest.TestCase):
    def test_each_round_measures_all_and_begins_with_another(self):
        asked = []

        def measure(contender):
            asked.append(contender)
            return f"{contender}{len(asked)}"

        self.assertEqual(rounds.interleaved(["a", "b"], 3, measure), [["a1", "a4", "a5"], ["b2", "b3", "b6"]])
        self.assertEqual(asked, ["a", "b", "b", "a", "a", "b"])


if __name__ == "__main__":
    unittest.main()
