"""Tests of the made-up tokenizer of Llama 3's size."""

import os
import sys
import unittest

import figures

sys.path.insert(0, os.path.join(figures.ROOT, "bench", "peers"))
import llama_tokenizer  # noqa: E402


def encode(word, ranks):
    """Byte pair encoding of one word: the pair of the lowest rank is merged first."""
    parts = list(word)
    while True:
        pairs = [(ranks[pair], i) for i, pair in enumerate(zip(parts, parts[1:])) if pair in ranks]
        if not pairs:
            return parts
        _, i = min(pairs)
        parts[i:i + 2] = ["".join(parts[i:i + 2])]


class LlamaTokenizerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = llama_tokenizer.tokenizer()

    def test_has_as_many_tokens_as_llama_3_without_gaps(self):
        ids = sorted([*self.model["model"]["vocab"].values(), *(token["id"] for token in self.model["added_tokens"])])
        self.assertEqual(ids, list(range(128256)))

    def test_every_merge_makes_a_token_of_tokens(self):
        vocabulary = self.model["model"]["vocab"]
        for left, right in self.model["model"]["merges"]:
            self.assertTrue(left in vocabulary and right in vocabulary and left + right in vocabulary)

    def test_a_word_of_two_syllables_is_one_token_at_the_beginning_and_behind_a_space(self):
        ranks = {tuple(pair): i for i, pair in enumerate(self.model["model"]["merges"])}
        for word in ("kalu", "baba", "zyzy", "buki"):
            self.assertEqual(encode(word, ranks), [word])
            self.assertEqual(encode(llama_tokenizer.SPACE + word, ranks), [llama_tokenizer.SPACE + word])


if __name__ == "__main__":
    unittest.main()
