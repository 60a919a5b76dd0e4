"""Tests of talking with a contender."""

import sys
import unittest

from line_process import LineProcess

ECHO = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin: print('said', line.strip(), flush=True)"


class LineProcessTest(unittest.TestCase):
    def test_asks_and_answers(self):
        with LineProcess([sys.executable, "-c", ECHO]) as process:
            self.assertEqual(process.expect("ready", 30), [])
            self.assertEqual(process.ask("a b", "said", 30), ["a", "b"])
            self.assertEqual(process.ask("c", "said", 30), ["c"])

    def test_several_lines_at_once_are_kept_apart(self):
        with LineProcess([sys.executable, "-c", "print('x 1\\nx 2\\nx 3')"]) as process:
            self.assertEqual([process.expect("x", 30) for _ in range(3)], [["1"], ["2"], ["3"]])

    def test_an_unexpected_answer_is_an_error(self):
        with LineProcess([sys.executable, "-c", "print('oops')"]) as process:
            with self.assertRaisesRegex(RuntimeError, "oops"):
                process.expect("ready", 30)

    def test_a_process_that_ends_is_an_error_that_tells_its_status(self):
        with LineProcess([sys.executable, "-c", "raise SystemExit(3)"]) as process:
            with self.assertRaisesRegex(RuntimeError, "ended with 3"):
                process.expect("ready", 30)

    def test_asking_a_process_that_has_ended_is_an_error_each_time(self):
        with LineProcess([sys.executable, "-c", "print('ready')"]) as process:
            process.expect("ready", 30)
            process._process.wait()
            for _ in range(2):
                with self.assertRaisesRegex(RuntimeError, "ended with 0"):
                    process.ask("a", "said", 30)

    def test_silence_ends_at_the_deadline(self):
        with LineProcess([sys.executable, "-c", "import sys; sys.stdin.read()"]) as process:
            with self.assertRaises(TimeoutError):
                process.expect("ready", 0.05)


if __name__ == "__main__":
    unittest.main()
