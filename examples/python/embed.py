"""Embeds texts in one call and prints how alike they are.

usage: embed.py [--address HOST:PORT] TEXT...
"""

import numpy

import client
from terminus.v1 import content_pb2, embedding_pb2


def main():
    parser = client.parser("Embeds texts and prints their cosine similarities.")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    arguments = parser.parse_args()

    stub = client.connect(arguments.address)
    response = stub.Embed(
        embedding_pb2.EmbedRequest(
            items=[content_pb2.Content(text=text) for text in arguments.texts]),
        timeout=30)  # seconds

    vectors = {}
    for text, result in zip(arguments.texts, response.results):
        try:
            vectors[text] = client.vector(result)
        except ValueError as error:  # this text alone failed
            print(f"{text!r}: {error}")
            continue
        cut = ", cut to fit" if result.truncated else ""
        print(f"{text!r}: {result.cost.tokens} tokens{cut}, {vectors[text].size} numbers, "
              f"begins {numpy.round(vectors[text][:4], 3)}")

    # Vectors come at unit length, so the dot product is the cosine.
    matrix = numpy.array(list(vectors.values()))
    print(f"cosines, in space {response.space_id}:")
    print(numpy.round(matrix @ matrix.T, 3))


if __name__ == "__main__":
    client.run(main)
