"""`terminus up`, `status` and `down` over stand-ins for the services: see fake_services.py."""

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
import unittest

BUILD = pathlib.Path(os.environ["TERMINUS_BUILD"])
HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60


def is_alive(pid):
    """False for a zombie too: it only waits for its parent's attention."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


class UpTest(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="terminus-up-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.bin = self.root / "bin"
        self.state = self.root / "state"
        self.bin.mkdir()
        # A copy, as the command looks for the services beside its own executable.
        self.terminus = self.bin / "terminus"
        shutil.copy(BUILD / "bin" / "terminus", self.terminus)
        for service in ("router", "text", "vision", "decoder"):
            script = self.bin / f"terminus-{service}"
            script.write_text(f"#!{sys.executable}\n" + (HERE / "fake_services.py").read_text())
            script.chmod(0o755)
        (self.root / "bundle").mkdir()
        (self.root / "bundle" / "bundle.yaml").write_text(
            "format: 1\ntext:\n  path: t\nvision:\n  path: v\n")
        self.processes = []

    def tearDown(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def start(self, *arguments, listen="127.0.0.1:0"):
        process = subprocess.Popen(
            [self.terminus, "up", "--state", self.state, "--bundle", self.root / "bundle",
             "--listen", listen, "--json", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(BUILD / "python")})
        self.processes.append(process)
        return process

    def start_ready(self, *arguments):
        """Returns the process and what it printed when it was ready."""
        process = self.start(*arguments)
        line = process.stdout.readline()
        if not line:
            self.fail(process.communicate()[1])
        return process, json.loads(line)

    def cli(self, *arguments, exit_codes=(0,)):
        result = subprocess.run([self.terminus, *arguments, "--state", self.state, "--json"],
                                capture_output=True, text=True, timeout=PATIENCE)
        self.assertIn(result.returncode, exit_codes, result.stderr)
        return json.loads(result.stdout)

    def entries(self):
        """{name: entry} as `status` has them, whether the cluster is ready or not."""
        status = self.cli("status", exit_codes=(0, 1))
        return {entry["name"]: entry for entry in status["processes"]}

    def pids(self):
        return {name: entry["pid"] for name, entry in self.entries().items()}

    def wait(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waited too long for {what}")
            time.sleep(0.02)

    def wait_until_gone(self, pids):
        self.wait(lambda: not any(is_alive(pid) for pid in pids), f"the end of {pids}")

    def test_starts_tells_and_stops_on_ctrl_c(self):
        process, ready = self.start_ready("--replicas", "text=2")
        self.assertRegex(ready["address"], r"^127\.0\.0\.1:[1-9]\d*$")
        status = self.cli("status")
        self.assertTrue(status["ready"])
        self.assertEqual(["decoder-0", "router", "text-0", "text-1", "vision-0"],
                         sorted(entry["name"] for entry in status["processes"]))
        self.assertGreater(status["total_pss_mib"], 0)
        pids = [entry["pid"] for entry in status["processes"]]
        self.assertTrue(all(is_alive(pid) for pid in pids))
        process.send_signal(signal.SIGINT)
        self.assertEqual(0, process.wait(PATIENCE))
        self.wait_until_gone(pids)
        self.assertIn("stopped", (self.state / "logs" / "text-0.log").read_text())

    def test_restarts_what_dies(self):
        self.start_ready()
        before = self.pids()
        os.kill(before["text-0"], signal.SIGKILL)
        self.wait(lambda: self.pids()["text-0"] not in (None, before["text-0"]), "a restart")
        entries = self.entries()
        self.assertEqual(1, entries["text-0"]["restarts"])
        self.assertEqual(before["vision-0"], entries["vision-0"]["pid"])

    def test_gives_up_on_a_process_that_never_works(self):
        (self.bin / "text.fail").write_text("tensor encoder.layer.0 is missing")
        process = self.start()
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(1, process.returncode)
        self.assertIn("text-0 exited with 1 again and again", errors)
        self.assertIn("tensor encoder.layer.0 is missing", errors)

    def test_gives_up_at_once_on_a_process_that_refuses(self):
        (self.bin / "text.refuse").write_text("config.json: model_type 'gpt', expected 'bert'")
        process = self.start()
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(1, process.returncode)
        self.assertIn("text-0 exited with 2; the end of its log", errors)
        self.assertIn("model_type 'gpt'", errors)
        log = (self.state / "logs" / "text-0.log").read_text()
        self.assertEqual(1, log.count("model_type 'gpt'"), log)

    def test_kills_what_ignores_sigterm_when_asked_twice(self):
        (self.bin / "router.stay").touch()
        process, _ = self.start_ready()
        pids = self.pids().values()
        process.send_signal(signal.SIGINT)
        self.assertIn("once more to kill", self.read_until(process.stderr, "stopping"))
        process.send_signal(signal.SIGINT)
        self.assertEqual(0, process.wait(PATIENCE))
        self.wait_until_gone(pids)

    def test_no_process_outlives_a_killed_supervisor(self):
        process, _ = self.start_ready()
        pids = self.pids().values()
        process.kill()
        self.wait_until_gone(pids)
        # And the folder is free for the next.
        self.start_ready()

    def test_second_cluster_in_the_same_folder_is_refused(self):
        process, _ = self.start_ready()
        second = self.start()
        _, errors = second.communicate(timeout=PATIENCE)
        self.assertEqual(1, second.returncode)
        self.assertIn(f"process {process.pid}", errors)
        self.assertIn("terminus down", errors)

    def test_taken_port_is_named(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            address = f"127.0.0.1:{other.getsockname()[1]}"
            process = self.start(listen=address)
            _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(1, process.returncode)
        self.assertIn(address, errors)
        self.assertIn("--listen", errors)

    def test_detached_returns_when_ready_and_down_stops_it(self):
        process, _ = self.start_ready("--detach")
        self.assertEqual(0, process.wait(PATIENCE))
        pids = self.pids().values()
        self.assertTrue(all(is_alive(pid) for pid in pids))
        self.assertTrue(self.cli("down")["stopped"])
        self.wait_until_gone(pids)
        self.assertFalse(self.cli("down")["stopped"])

    def test_detached_tells_its_failure(self):
        (self.bin / "vision.fail").write_text("no such model")
        process = self.start("--detach")
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(1, process.returncode)
        self.assertIn("no such model", errors)

    def test_usage_errors_end_with_two(self):
        process = self.start("--replicas", "router=2")
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(2, process.returncode)
        self.assertIn("text, vision, video, decoder", errors)

    def test_the_exit_code_of_status_says_whether_the_cluster_is_ready(self):
        process, _ = self.start_ready()
        self.assertTrue(self.cli("status", exit_codes=(0,))["ready"])
        (self.state / "vision-0.sock").unlink()
        self.assertFalse(self.cli("status", exit_codes=(1,))["ready"])
        process.send_signal(signal.SIGINT)
        self.assertEqual(0, process.wait(PATIENCE))
        gone = subprocess.run([self.terminus, "status", "--state", self.state, "--address", "127.0.0.1:1"],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(1, gone.returncode)
        self.assertIn("terminus up", gone.stderr)

    def test_an_unknown_command_or_option_names_the_nearest(self):
        for words, said in {("stats",): "unknown command 'stats'; the nearest is 'status'",
                            ("up", "--replics", "text=2"): "'--replics'; the nearest is '--replicas'",
                            ("model", "inspct", "x"): "'inspct'; the nearest is 'inspect'"}.items():
            with self.subTest(words[0]):
                result = subprocess.run([self.terminus, *words], capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(2, result.returncode)
                self.assertIn(said, result.stderr)

    @staticmethod
    def read_until(stream, word):
        for line in stream:
            if word in line:
                return line
        return ""


if __name__ == "__main__":
    unittest.main()
