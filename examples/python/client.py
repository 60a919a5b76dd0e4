"""What the examples share: a connection, contents out of files, vectors out of answers."""

import argparse
import pathlib

import grpc
import numpy

from terminus.v1 import content_pb2, embedding_pb2_grpc, tensor_pb2

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}


def parser(description):
    """An argument parser with the flag that every example has."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--address", default="127.0.0.1:8500", help="the router's address")
    return result


def connect(address, stub=embedding_pb2_grpc.EmbeddingStub):
    """Returns a stub of a service, the Embedding service if none is named, once the router answers.

    Raises SystemExit when it does not.
    """
    channel = grpc.insecure_channel(address)
    try:
        grpc.channel_ready_future(channel).result(timeout=5)
    except grpc.FutureTimeoutError:
        raise SystemExit(f"No router at {address}. Start a cluster with: terminus up") from None
    return stub(channel)


def run(main):
    """Calls main(); a call that failed as a whole ends the script with the router's own words."""
    try:
        main()
    except grpc.RpcError as error:
        raise SystemExit(f"{error.code().name}: {error.details()}") from None


def find_pictures(folder):
    """All picture files below a folder, sorted."""
    found = sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in PICTURES)
    if not found:
        raise SystemExit(f"{folder} holds no pictures ({', '.join(sorted(PICTURES))})")
    return found


def picture(path):
    return content_pb2.Content(image=pathlib.Path(path).read_bytes())


def vector(result):
    """The vector of an EmbedResult as a numpy array; raises ValueError if the item failed."""
    if result.status.code != grpc.StatusCode.OK.value[0]:
        raise ValueError(result.status.message)
    if result.vector.dtype != tensor_pb2.DATA_TYPE_FLOAT32:
        raise ValueError("this example asks for float32 only")
    return numpy.frombuffer(result.vector.data, "<f4").reshape(result.vector.shape)
