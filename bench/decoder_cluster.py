"""A router and one decoder service on Unix sockets, started without `terminus up`, which brings FFmpeg's libraries."""

import os
import re
import socket
import subprocess
import sys
import urllib.request

STOP_S = 60


def sample(text, name):
    """The value of a metric without labels in the text of a scrape."""
    match = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    if match is None:
        raise RuntimeError(f"the decoder has no metric {name}")
    return float(match[1])


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class DecoderCluster:
    """Starts both; they are killed on exit if they do not stop in time. Calls fail until the model is loaded."""

    def __init__(self, binaries, bundle, state, overrides=()):
        os.makedirs(state)
        self.router = f"unix:{state}/router.sock"
        decoder = f"unix:{state}/decoder.sock"
        common = ["--bundle", bundle]
        for override in (f'router.replicas.decoder=["{decoder}"]', *overrides):
            common += ["--set", override]
        self._processes = []
        self._decoder_metrics = f"127.0.0.1:{_free_port()}"
        for name, address, metrics in (("terminus-decoder", decoder, self._decoder_metrics),
                                       ("terminus-router", self.router, "127.0.0.1:0")):
            command = [os.path.join(binaries, name), *common, "--listen", address, "--metrics", metrics]
            self._processes.append(subprocess.Popen(command, stdout=sys.stderr))

    def host_seconds(self):
        """(sum, steps): what the decoder's host has taken for its steps since it began."""
        with urllib.request.urlopen(f"http://{self._decoder_metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return tuple(sample(text, f"terminus_decoder_step_host_seconds_{part}") for part in ("sum", "count"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
