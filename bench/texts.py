"""Texts of a known number of tokens, for whoever is put under load."""

import random

# Each one token of BERT's vocabulary.
WORDS = """a the one two three red blue green small large old young happy quiet dog cat horse bird car train ship
house tree river mountain city street table chair window door book letter music garden field road bridge rain snow
sun morning evening night people child woman man friend teacher doctor plays runs walks sleeps reads writes looks
stands waits carries under over near behind in on with without and""".split()
LEAST, MOST = 8, 32


def texts(count, seed):
    """`count` texts of 8 to 32 tokens, evenly spread, the two special tokens among them."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(LEAST, MOST) - 2)) for _ in range(count)]
