"""A client of gRPC's server reflection, v1 or v1alpha, over this repository's own protos."""

import functools
import pathlib
import tempfile

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"


@functools.cache
def compiled(proto):
    """A pool with one proto file that imports none. Modules made from it would hide the package grpc."""
    pool = descriptor_pool.DescriptorPool()
    with tempfile.NamedTemporaryFile() as out:
        assert protoc.main(["protoc", f"-I{PROTO}", f"--descriptor_set_out={out.name}", proto]) == 0
        for file in descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes()).file:
            pool.Add(file)
    return pool


def message(pool, name):
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


class Reflection:
    """What one process says of itself. `version` is "v1" or "v1alpha"."""

    def __init__(self, channel, version):
        package = f"grpc.reflection.{version}"
        pool = compiled(f"grpc/reflection/{version}/reflection.proto")
        self.request = message(pool, f"{package}.ServerReflectionRequest")
        response = message(pool, f"{package}.ServerReflectionResponse")
        self.call = channel.stream_stream(
            f"/{package}.ServerReflection/ServerReflectionInfo",
            request_serializer=self.request.SerializeToString, response_deserializer=response.FromString)

    def ask(self, **question):
        return next(iter(self.call(iter([self.request(**question)]), timeout=10)))

    def services(self):
        return [service.name for service in self.ask(list_services="*").list_services_response.service]

    def pool_of(self, symbol):
        """A pool with the file of a symbol and all that it imports."""
        pool = descriptor_pool.DescriptorPool()
        answer = self.ask(file_containing_symbol=symbol)
        assert answer.WhichOneof("message_response") == "file_descriptor_response", answer
        files = [descriptor_pb2.FileDescriptorProto.FromString(content)
                 for content in answer.file_descriptor_response.file_descriptor_proto]
        added = set()

        def add(file):
            """What it imports first."""
            if file.name not in added:
                added.add(file.name)
                for other in files:
                    if other.name in file.dependency:
                        add(other)
                pool.Add(file)
        for file in files:
            add(file)
        return pool
