"""Finds the pictures of a folder that fit a text, or look like a picture.

usage: search.py [--address HOST:PORT] [--top N] QUERY FOLDER     QUERY: a text, or a picture's path
"""

import pathlib

import numpy

import client
from stream_embed import embed_pictures
from terminus.v1 import content_pb2, embedding_pb2


def query_content(query):
    path = pathlib.Path(query)
    if path.suffix.lower() in client.PICTURES and path.is_file():
        return client.picture(path)
    return content_pb2.Content(text=query)


def main():
    parser = client.parser("Finds the pictures of a folder that fit a text or a picture.")
    parser.add_argument("query", metavar="QUERY")
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--top", type=int, default=10, metavar="N")
    arguments = parser.parse_args()

    stub = client.connect(arguments.address)
    answer = stub.Embed(
        embedding_pb2.EmbedRequest(items=[query_content(arguments.query)]), timeout=30)
    try:
        query = client.vector(answer.results[0])
    except ValueError as error:
        raise SystemExit(f"{arguments.query}: {error}") from None

    # A picture that could not be read is left out.
    pictures = {path: client.vector(result)
                for path, result in embed_pictures(stub, client.find_pictures(arguments.folder))
                if result.status.code == 0}
    if not pictures:
        raise SystemExit(f"None of the pictures in {arguments.folder} could be read")
    scores = numpy.array(list(pictures.values())) @ query
    for i in numpy.argsort(-scores)[:arguments.top]:
        print(f"{scores[i]:.3f}  {list(pictures)[i]}")


if __name__ == "__main__":
    client.run(main)
