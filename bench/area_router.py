"""What the router adds to a call and what its batching gains, in a local cluster; its start-up and memory."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import figures
import memory
from line_process import LineProcess
from texts import texts

CLIENTS = 64
STARTS = 3
QUERIES = ["a cat", "something to drink", "a person in a space suit", "a bird on a branch", "a house"]


class Cluster:
    """`terminus up` in a state folder of its own, on Unix sockets."""

    def __init__(self, options, state, overrides=(), arguments=()):
        self.state = state
        self.router = f"unix:{state}/router.sock"
        self.text = f"unix:{state}/text-0.sock"
        self.vision = f"unix:{state}/vision-0.sock"
        command = [os.path.join(options.binaries, "terminus"), "up", "--json", "--state", state,
                   "--bundle", options.bundle, "--listen", self.router, *arguments]
        for override in overrides:
            command += ["--set", override]
        start = time.monotonic()
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True)
        # `up` gives up by itself when the cluster does not get ready in time.
        line = self._process.stdout.readline()
        self.ready_s = time.monotonic() - start
        if not line:
            raise RuntimeError(f"{' '.join(command)} ended with {self._process.wait()}")
        json.loads(line)

    def pss_mib(self):
        return memory.tree_pss_mib(self._process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def _ready(options, folder):
    """Start-ups one after another, after one that brings the files into the page cache."""
    seconds = []
    for i in range(1 + STARTS):
        with Cluster(options, os.path.join(folder, f"start-{i}")) as cluster:
            seconds.append(cluster.ready_s)
    return figures.alone("cluster.ready_s", "s", seconds[1:])


def _memory(options, cluster, load):
    """After what the demo does: searches over its pictures, and many texts at once."""
    pictures = os.path.join(os.path.dirname(os.path.dirname(options.bundle)), "demo", "photos")
    for query in QUERIES:
        subprocess.run([os.path.join(options.binaries, "terminus"), "search", query, "--in", pictures, "--json",
                        "--address", cluster.router], check=True, stdout=subprocess.DEVNULL)
    load.ask(f"load 5 {CLIENTS} {cluster.router}", "load")
    return figures.alone("cluster.pss_mib", "MiB", [cluster.pss_mib()])


def _hops(options, cluster, passing, echo, load):
    """One client, call by call: the router, a router over the echo, the service itself, the echo."""
    added, direct, passed, bare = [], [], [], []
    for _ in range(options.rounds):
        _, router_us, direct_us, pass_us, echo_us = map(float, load.ask(
            f"hops {3 * options.burst_s} {cluster.router} {cluster.text} {passing.router} {echo}", "hops"))
        added.append(router_us - direct_us)
        direct.append(direct_us)
        passed.append(pass_us - echo_us)
        bare.append(echo_us)
    return [figures.against("router.added_us.p50", "us", "bare gRPC echo", added, bare, lower_is_better=True),
            figures.against("router.pass_us.p50", "us", "bare gRPC echo", passed, bare, lower_is_better=True),
            figures.alone("router.direct_us.p50", "us", direct)]


def _batching(options, batching, single, load):
    """64 closed-loop clients through the router, and through one that is told not to batch."""
    measured = {batching: [], single: []}
    for turn in range(options.rounds):
        for router in (batching, single) if turn % 2 == 0 else (single, batching):
            fields = load.ask(f"load {3 * options.burst_s} {CLIENTS} {router}", "load")
            measured[router].append(tuple(map(float, fields)))
    rate, _, p99 = zip(*measured[batching])
    single_rate, _, single_p99 = zip(*measured[single])
    peer = "the same router, batches of 1"
    return [figures.against("router.batching_gain.c64", "texts/s", peer, rate, single_rate),
            figures.against("router.batching_gain.c64.p99_ms", "ms", peer, p99, single_p99, lower_is_better=True)]


def run(options, folder):
    """All figures of the area; `folder` is for scratch files."""
    texts_path = os.path.join(folder, "texts.txt")
    with open(texts_path, "w") as file:
        file.writelines(text + "\n" for text in texts(1024, seed=1))
    echo = f"unix:{folder}/echo.sock"

    def binary(name):
        return os.path.join(options.binaries, name)

    made = [_ready(options, folder)]
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(Cluster(options, os.path.join(folder, "a")))
        load = stack.enter_context(LineProcess([binary("wire_bench"), texts_path], log=sys.stderr))
        load.expect("ready", 30)
        made.append(_memory(options, cluster, load))
        server = stack.enter_context(subprocess.Popen([binary("echo_server"), echo]))
        stack.callback(server.terminate)
        passing = stack.enter_context(Cluster(options, os.path.join(folder, "c"), [
            f'router.replicas.text=["{echo}"]'], ["--replicas", "vision=0,video=0,decoder=0"]))
        # Its router alone: the replicas are the first cluster's.
        single = stack.enter_context(Cluster(options, os.path.join(folder, "b"), [
            f'router.replicas.text=["{cluster.text}"]', f'router.replicas.vision=["{cluster.vision}"]',
            "router.batching.text.max_batch_items=1"]))
        made += _hops(options, cluster, passing, echo, load)
        made += _batching(options, cluster.router, single.router, load)
    return made
