"""A contender: a process that is started once and asked, line by line, for timed bursts."""

import contextlib
import os
import selectors
import subprocess
import time


class LineProcess:
    """Runs `command` and talks with it in lines. Whatever it is asked must be answered within a deadline."""

    def __init__(self, command, env=None, log=None):
        self._command = command
        self._buffer = b""
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=log or subprocess.DEVNULL, env=env)
        os.set_blocking(self._process.stdout.fileno(), False)

    def expect(self, word, timeout):
        """Fields of the next line, which must begin with `word`, less that word."""
        fields = self._read_line(timeout).split()
        if not fields or fields[0] != word:
            raise RuntimeError(f"{self._command[0]} answered {' '.join(fields)!r} where {word!r} was expected")
        return fields[1:]

    def ask(self, line, word, timeout=120):
        """Sends `line` and returns the fields of the answer."""
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"{' '.join(self._command)} ended with {self._process.wait()}") from None
        return self.expect(word, timeout)

    def close(self):
        """Ends the process: by closing its input, then by force."""
        # What could not be sent is still in the buffer when the process has ended.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _read_line(self, timeout):
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{' '.join(self._command)} did not answer within {timeout} s")
                if selector.select(left):
                    more = self._process.stdout.read()
                    if more == b"":
                        raise RuntimeError(f"{' '.join(self._command)} ended with {self._process.wait()}")
                    self._buffer += more or b""
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.decode()
