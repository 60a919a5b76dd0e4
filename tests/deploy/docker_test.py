"""deploy/docker/Dockerfile: what can be said of it without an engine that builds it."""

import json
import re
import subprocess
import unittest

from binaries import DEPLOY, ROOT, flags_of, tool

DOCKERFILE = DEPLOY / "docker" / "Dockerfile"


def instructions():
    """[(instruction, arguments)] with continued lines joined and comments left out."""
    lines = [line for line in DOCKERFILE.read_text().splitlines()
             if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [tuple(line.split(None, 1)) for line in joined.splitlines()]


class DockerTest(unittest.TestCase):
    def test_hadolint_has_nothing_to_say(self):
        result = subprocess.run([tool("hadolint"), "--format", "json", str(DOCKERFILE)],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual([], json.loads(result.stdout))
        self.assertEqual(0, result.returncode)

    def test_stages_are_defined_before_they_are_used(self):
        stages = set()
        for name, arguments in instructions():
            if name == "FROM":
                base, _, stage = arguments.partition(" AS ")
                self.assertTrue(base in stages or base == "debian:12-slim", base)
                stages.add(stage)
            for source in re.findall(r"--from=(\S+)", arguments):
                self.assertIn(source, stages)
        self.assertLessEqual({"cpu", "cuda"}, stages)
        # The one that is built when none is named.
        self.assertTrue([a for n, a in instructions() if n == "FROM"][-1].endswith("AS cpu"))

    def test_what_is_copied_and_run_exists(self):
        ignored = {line for line in (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text()
                   .splitlines() if line and not line.startswith("#")}
        for name, arguments in instructions():
            if name == "COPY" and "--from" not in arguments:
                for source in arguments.split()[:-1]:
                    self.assertTrue((ROOT / source).exists(), source)
                    self.assertNotIn(source.split("/")[0], ignored - {"."})
            if name == "RUN":
                for script in re.findall(r"\b(?:scripts|deploy/docker)/[a-z-]+", arguments):
                    self.assertTrue((ROOT / script).is_file(), script)
                    self.assertTrue((ROOT / script).stat().st_mode & 0o100, script)

    def test_the_scripts_flags_exist(self):
        for script in ("scripts/dist", "scripts/build", "scripts/setup"):
            text = (ROOT / script).read_text()
            for name, arguments in instructions():
                for call in re.findall(rf"{script}([^&]*)", arguments) if name == "RUN" else ():
                    for flag in re.findall(r"--[a-z-]+", call):
                        self.assertIn(f"{flag})", text, script)

    def test_packages_come_from_setup_alone(self):
        # The two that setup itself needs; all others are in scripts/requirements/apt.txt.
        (packages,) = re.findall(r"apt-get install --yes --no-install-recommends ([a-z0-9 .+-]+?) *&&",
                                 DOCKERFILE.read_text().replace("\\\n", ""))
        listed = (ROOT / "scripts" / "requirements" / "apt.txt").read_text().split("\n")
        for package in packages.split():
            self.assertTrue(package in listed or package in ("ca-certificates", "python3"), package)

    def test_the_cuda_toolkit_is_pinned_by_hash(self):
        lines = [line for line in (ROOT / "scripts/requirements/cuda_toolkit.txt").read_text()
                 .splitlines() if line and not line.startswith("#")]
        self.assertGreater(len(lines), 5)
        for line in lines:
            self.assertRegex(line, r"^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$")

    def test_it_runs_without_rights_and_as_the_pods_expect(self):
        users = [arguments for name, arguments in instructions() if name == "USER"]
        self.assertEqual(["10001:10001"], users)
        text = (DEPLOY / "k8s" / "base" / "text.yaml").read_text()
        self.assertIn("runAsUser: 10001", text)
        self.assertIn("runAsGroup: 10001", text)

    def test_the_default_command_exists(self):
        ((_, command),) = [i for i in instructions() if i[0] == "CMD"]
        name, flag = json.loads(command)
        self.assertIn(flag, flags_of(name))


if __name__ == "__main__":
    unittest.main()
