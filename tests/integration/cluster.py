"""A real local cluster for tests: started by `terminus up`, spoken to through generated stubs."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

BUILD = pathlib.Path(os.environ["TERMINUS_BUILD"])
sys.path.insert(0, str(BUILD / "python"))

import grpc  # noqa: E402
from google.protobuf import any_pb2  # noqa: E402,F401
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from terminus.v1 import cluster_pb2, cluster_pb2_grpc, embedding_pb2_grpc  # noqa: E402

MAX_MESSAGE = [("grpc.max_receive_message_length", 128 << 20),
               ("grpc.max_send_message_length", 128 << 20)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cluster:
    """Starts on entry, is ready then, and stops on exit.

    Args:
      replicas: such as {"text": 2}; one each otherwise.
      overrides: config keys, such as {"router.batching.text.max_batch_items": 1}.
      arguments: more arguments of `terminus up`.
    """

    def __init__(self, replicas=None, overrides=None, arguments=(), ready_timeout=120):
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="terminus-test-"))
        self.address = f"127.0.0.1:{free_port()}"
        command = [str(BUILD / "bin" / "terminus"), "up", "--state", str(self.state),
                   "--listen", self.address, *arguments]
        if replicas:
            command += ["--replicas", ",".join(f"{k}={v}" for k, v in replicas.items())]
        for key, value in (overrides or {}).items():
            command += ["--set", f"{key}={value}"]
        self.log = open(self.state / "up.log", "w+")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        self.channel = grpc.insecure_channel(self.address, options=MAX_MESSAGE)
        self.embedding = embedding_pb2_grpc.EmbeddingStub(self.channel)
        self.cluster = cluster_pb2_grpc.ClusterStub(self.channel)
        try:
            self.wait(lambda: self.status().ready, ready_timeout, "the cluster to be ready")
        except Exception:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def status(self):
        return self.cluster.GetStatus(cluster_pb2.GetStatusRequest(), timeout=5,
                                      wait_for_ready=False)

    def wait(self, condition, timeout, what):
        """Polls until the condition holds; a call refused meanwhile counts as not yet."""
        deadline = time.monotonic() + timeout
        while True:
            if self.process.poll() is not None:
                raise AssertionError(f"terminus up ended while waiting for {what}:\n{self.logs()}")
            try:
                if condition():
                    return
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE,
                                        grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout} s for {what}:\n{self.logs()}")
            time.sleep(0.05)

    def logs(self):
        text = ""
        for file in sorted(path for path in self.state.rglob("*.log") if path.is_file()):
            text += f"--- {file.name}\n" + file.read_text(errors="replace")[-2000:]
        return text

    def cli(self, *arguments, check=True, timeout=120):
        """Runs the terminus command against this cluster."""
        return subprocess.run(
            [str(BUILD / "bin" / "terminus"), arguments[0], "--address", self.address,
             *arguments[1:]],
            capture_output=True, text=True, check=check, timeout=timeout)

    def pids(self):
        """Returns {replica name: pid} of the supervised processes."""
        result = subprocess.run(
            [str(BUILD / "bin" / "terminus"), "status", "--state", str(self.state),
             "--address", self.address, "--json"],
            # Its exit code is 1 while a process is being restarted.
            capture_output=True, text=True, check=False, timeout=30)
        return {entry["name"]: entry["pid"] for entry in json.loads(result.stdout)["processes"]}

    def metrics(self):
        """Returns the Prometheus text of the router and of each replica, by address."""
        status = self.status()
        addresses = [status.metrics_address] + [r.metrics_address for r in status.replicas]
        pages = {}
        for address in addresses:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
                pages[address] = page.read().decode()
        return pages

    def stop(self):
        """Stops the cluster as Ctrl-C does; its logs stay until close()."""
        self.channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def close(self):
        self.stop()
        self.log.close()
        shutil.rmtree(self.state, ignore_errors=True)


def details_of(error):
    """Returns {type name: message} of the google.rpc details of a call's error."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return unpack(status_pb2.Status.FromString(value))
    return {}


def unpack(status):
    """Returns {type name: message} of the details of a google.rpc.Status."""
    found = {}
    for kind in (error_details_pb2.BadRequest, error_details_pb2.ErrorInfo,
                 error_details_pb2.RetryInfo):
        for detail in status.details:
            message = kind()
            if detail.Unpack(message):
                found[kind.DESCRIPTOR.name] = message
    return found
