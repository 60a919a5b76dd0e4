"""scripts/dist: what it lays into a folder runs from there, and needs nothing of Debian's libraries."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from binaries import BUILD, ROOT

GLIBC = re.compile(r"^(linux-vdso|ld-linux-x86-64|lib(c|m|dl|rt|pthread|resolv|util))\.so")


def dist(*arguments):
    return subprocess.run([ROOT / "scripts" / "dist", "--preset", BUILD.name, "--no-build",
                           *arguments], capture_output=True, text=True, timeout=240)


@unittest.skipUnless(BUILD == ROOT / "build" / BUILD.name, "scripts/dist takes presets' folders")
class DistTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="terminus-dist-"))
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        made = dist(str(folder / "made"))
        assert made.returncode == 0, made.stdout + made.stderr
        # Moved, for nothing may depend on where it was made.
        cls.folder = folder / "moved"
        (folder / "made").rename(cls.folder)

    def libraries_of(self, file):
        out = subprocess.run(["ldd", file], capture_output=True, text=True, check=True).stdout
        return dict(re.findall(r"(\S+) => (\S+|not found)", out))

    def test_libraries_are_found_inside(self):
        files = [f for f in (self.folder / "bin").iterdir()]
        files += [f for f in (self.folder / "lib").glob("*.so*")]
        self.assertGreater(len(files), 20)
        # None of CUDA's, each of which would be as large as all the rest. The video codecs are a third of it.
        self.assertLess(sum(file.stat().st_size for file in files), 250 << 20)
        for file in files:
            for name, path in self.libraries_of(file).items():
                if path.startswith(str(self.folder)) or GLIBC.match(name):
                    continue
                # LibTorch's and CUDA's, which are for whoever runs it to link.
                self.assertRegex(name, r"^lib(torch|c10|gomp|cu|nv|nccl)", file.name)

    def test_binaries_run_from_there(self):
        for name in ("terminus", "terminus-router"):
            subprocess.run([self.folder / "bin" / name, "--help"], check=True,
                           capture_output=True, timeout=30, env={})

    def test_torch_is_found_where_it_is_linked(self):
        text = self.folder / "bin" / "terminus-text"
        without = subprocess.run([text, "--help"], capture_output=True, text=True, env={})
        self.assertNotEqual(0, without.returncode)
        self.assertIn("libtorch_cpu.so", without.stderr)
        cache = (BUILD / "CMakeCache.txt").read_text()
        torch = re.search(r"^TORCH_CPU_LIBRARY:\w+=(.*)/libtorch_cpu\.so$", cache, re.MULTILINE)[1]
        link = self.folder / "lib" / "torch"
        link.symlink_to(torch)
        self.addCleanup(link.unlink)
        subprocess.run([text, "--help"], check=True, capture_output=True, timeout=60, env={})

    def test_a_bench_is_one_archive_that_runs_elsewhere(self):
        with tempfile.TemporaryDirectory() as folder:
            made = dist("--bench", "decoder", "--only", "generate_bench", f"{folder}/made")
            self.assertEqual(0, made.returncode, made.stdout + made.stderr)
            archive = pathlib.Path(folder, "made.tar.xz")
            self.assertLess(archive.stat().st_size, 12 << 20)
            shutil.rmtree(f"{folder}/made")
            subprocess.run(["tar", "xJf", archive, "-C", folder], check=True, timeout=60)
            binaries = pathlib.Path(folder, "made", "bin")
            self.assertEqual([file.name for file in binaries.iterdir()], ["generate_bench"])
            usage = subprocess.run([binaries / "generate_bench"], capture_output=True, text=True, env={}, timeout=30)
            self.assertIn("usage: generate_bench ADDRESS", usage.stderr)
            targets = subprocess.run([sys.executable, f"{folder}/made/bench/run.py", "decoder", "--targets"],
                                     capture_output=True, text=True, check=True, timeout=30).stdout
            self.assertIn("decoder_gpu_bench", targets.split())

    def test_a_bench_takes_targets_of_its_area_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            refused = dist("--bench", "decoder", "--only", "wire_bench", f"{folder}/made")
            self.assertEqual(1, refused.returncode)
            self.assertIn("--only wire_bench: the area decoder has", refused.stderr)

    def test_it_replaces_only_what_it_made(self):
        with tempfile.TemporaryDirectory() as folder:
            precious = pathlib.Path(folder, "precious")
            precious.touch()
            refused = dist(folder)
            self.assertEqual(1, refused.returncode)
            self.assertIn("not made by this script", refused.stderr)
            self.assertTrue(precious.exists())


if __name__ == "__main__":
    unittest.main()
