"""A router and one decoder service on Unix sockets, started without `terminus up`, which brings FFmpeg's libraries."""

import os
import subprocess
import sys

STOP_S = 60


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
        for name, address in (("terminus-decoder", decoder), ("terminus-router", self.router)):
            command = [os.path.join(binaries, name), *common, "--listen", address]
            self._processes.append(subprocess.Popen(command, stdout=sys.stderr))

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
