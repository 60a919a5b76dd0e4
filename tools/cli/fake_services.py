"""Stand-ins for the services, so that `terminus up` can be tested without models.

Run under the name of a service, such as terminus-text. What one does beside serving is told by
files next to it:
  SERVICE.fail   it prints the file's content and exits with 1
  SERVICE.refuse it prints the file's content and exits with 2
  SERVICE.stay   it ignores SIGTERM
"""

import concurrent.futures
import os
import pathlib
import re
import signal
import socket
import sys
import threading

HERE = pathlib.Path(sys.argv[0]).resolve().parent
NAME = pathlib.Path(sys.argv[0]).name.removeprefix("terminus-")


def argument(flag):
    return sys.argv[sys.argv.index(flag) + 1]


def wait_for_stop():
    stopped = threading.Event()
    stay = (HERE / f"{NAME}.stay").exists()
    signal.signal(signal.SIGTERM, lambda *_: None if stay else stopped.set())
    print("serving", flush=True)
    stopped.wait()
    print("stopped", flush=True)


def serve_encoder():
    path = argument("--listen").removeprefix("unix:")
    pathlib.Path(path).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        wait_for_stop()


def serve_router():
    import grpc
    from terminus.v1 import cluster_pb2, cluster_pb2_grpc

    config = pathlib.Path(argument("--config")).read_text()
    replicas = sorted(set(re.findall(r"unix:[^\"\s]*/(?:text|vision|decoder)-\d+\.sock", config)))
    listen = re.findall(r"127\.0\.0\.1:[1-9]\d*|unix:[^\"\s]*/router\.sock", config)

    class Cluster(cluster_pb2_grpc.ClusterServicer):
        def GetStatus(self, request, context):
            answer = cluster_pb2.GetStatusResponse(space_id="fake", ready=True)
            for address in replicas:
                up = os.path.exists(address.removeprefix("unix:"))
                answer.ready = answer.ready and up
                service = re.search(r"(\w+)-\d+\.sock", address)[1]
                answer.replicas.add(address=address, service=service, state=3 if up else 1)
            return answer

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    cluster_pb2_grpc.add_ClusterServicer_to_server(Cluster(), server)
    for address in listen:
        server.add_insecure_port(address)
    server.start()
    wait_for_stop()
    server.stop(None)


refusal = HERE / f"{NAME}.refuse"
if refusal.exists():
    print(refusal.read_text(), file=sys.stderr)
    sys.exit(2)
failure = HERE / f"{NAME}.fail"
if failure.exists():
    sys.exit(failure.read_text())
if NAME == "router":
    serve_router()
else:
    serve_encoder()
