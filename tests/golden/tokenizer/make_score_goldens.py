#!/usr/bin/env python3
"""Makes a golden of Unigram vocabularies in which the last bit of a score decides, with the library "tokenizers".

usage: make_score_goldens.py

Most tokens of two letters score as the sum of their letters, in decimals of 15 to 19 digits. Whether the token or its
letters win depends on how each number is read. Written beside this script: scores.jsonl, a vocabulary a line, as
{"json": the text of a tokenizer.json, "texts": texts, "ids": their ids}.
"""

import decimal
import json
import pathlib
import random

import tokenizers

HERE = pathlib.Path(__file__).parent
LETTERS = "abcdefgh"
decimal.getcontext().prec = 60


def score(chance):
    digits = chance.randrange(14, 19)
    number = decimal.Decimal(-chance.randrange(10 ** digits, 10 ** (digits + 1))).scaleb(-digits)
    return number.scaleb(chance.choice([0, 0, 0, 1, -1, -5]))


def written(number, chance):
    """One of the ways to write a number down."""
    plain = format(number, "f")
    return chance.choice([plain, plain, format(number, "e"), plain + "0" if "." in plain else plain])


def document(chance):
    letters = {c: score(chance) for c in LETTERS}
    tokens = dict(letters)
    for _ in range(24):
        pair = chance.choice(LETTERS) + chance.choice(LETTERS)
        tokens[pair] = letters[pair[0]] + letters[pair[1]]
    for pair in [p for p in tokens if len(p) == 2][:8]:
        longer = pair + chance.choice(LETTERS)
        tokens[longer] = tokens[pair] + letters[longer[2]]
    vocabulary = ",".join(f'["{token}",{written(number, chance)}]' for token, number in tokens.items())
    return ('{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":null,"post_processor":null,"decoder":null,'
            f'"model":{{"type":"Unigram","unk_id":0,"vocab":[["<unk>",-100.0],{vocabulary}]}}}}')


def main():
    chance = random.Random(17)
    differ = 0
    with open(HERE / "scores.jsonl", "w", encoding="utf-8") as file:
        for _ in range(40):
            text = document(chance)
            made = tokenizers.Tokenizer.from_str(text)
            texts = ["".join(chance.choice(LETTERS) for _ in range(chance.randrange(2, 30))) for _ in range(12)]
            ids = [made.encode(one).ids for one in texts]
            # The same with the nearest doubles.
            vocabulary = [tuple(pair) for pair in json.loads(text)["model"]["vocab"]]
            nearest = tokenizers.Tokenizer(tokenizers.models.Unigram(vocabulary, 0, False))
            differ += sum(nearest.encode(one).ids != found for one, found in zip(texts, ids))
            file.write(json.dumps({"json": text, "texts": texts, "ids": ids}, separators=(",", ":")) + "\n")
    print(differ, "texts differ with the nearest doubles")
    assert differ > 20


if __name__ == "__main__":
    main()
