"""Embeds a folder of pictures over one stream, which is the way for thousands.

usage: stream_embed.py [--address HOST:PORT] [--out FILE.npz] FOLDER

Answers come back as they are ready, in any order; the correlation id says whose each one is. One
picture that cannot be read fails alone.
"""

import sys
import time

import numpy

import client
from terminus.v1 import embedding_pb2


def embed_pictures(stub, paths):
    """Yields (path, EmbedResult) in the order of the answers."""
    # gRPC asks for the next request only when the router can take it: no more than a few files
    # are in memory at a time.
    requests = (embedding_pb2.EmbedStreamRequest(correlation_id=i, item=client.picture(path))
                for i, path in enumerate(paths))
    for response in stub.EmbedStream(requests, timeout=600):
        yield paths[response.correlation_id], response.result


def main():
    parser = client.parser("Embeds a folder of pictures over one stream.")
    parser.add_argument("folder", metavar="FOLDER")
    parser.add_argument("--out", metavar="FILE.npz", help="write paths and vectors here")
    arguments = parser.parse_args()

    paths = client.find_pictures(arguments.folder)
    vectors = {}
    start = time.monotonic()
    for path, result in embed_pictures(client.connect(arguments.address), paths):
        try:
            vectors[path] = client.vector(result)
        except ValueError as error:
            print(f"{path}: {error}", file=sys.stderr)
    seconds = time.monotonic() - start

    print(f"{len(vectors)} of {len(paths)} pictures in {seconds:.1f} s, "
          f"{len(paths) / seconds:.0f} a second")
    if arguments.out:
        numpy.savez(arguments.out, paths=[str(path) for path in vectors],
                    vectors=numpy.array(list(vectors.values())))


if __name__ == "__main__":
    client.run(main)
