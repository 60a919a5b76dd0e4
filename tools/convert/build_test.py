import pathlib
import tempfile
import unittest
import zipfile

import numpy
from PIL import Image

import build_bundle
import build_demo
import wheel


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text=""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def test_a_wheel_gives_its_files_but_no_hidden_ones(self):
        with zipfile.ZipFile(self.folder / "thing-1.0-py3-none-any.whl", "w") as archive:
            for name in ("thing/model/config.json", "thing/model/.gitattributes",
                         "thing/model/1_Pooling/config.json", "thing/code.py"):
                archive.writestr(name, name)
        source = wheel.Wheel(self.folder, "thing-*.whl")
        source.extract_folder("thing/model/", self.folder / "out")
        found = sorted(str(p.relative_to(self.folder / "out"))
                       for p in (self.folder / "out").rglob("*") if p.is_file())
        self.assertEqual(found, ["1_Pooling/config.json", "config.json"])

    def test_a_missing_wheel_says_what_to_do(self):
        with self.assertRaisesRegex(SystemExit, "scripts/setup"):
            wheel.Wheel(self.folder, "thing-*.whl")

    def test_a_failure_leaves_the_old_folder(self):
        self.write("out/old")
        with self.assertRaises(KeyError), wheel.fresh_folder(self.folder / "out") as fresh:
            (fresh / "new").write_text("")
            raise KeyError
        self.assertTrue((self.folder / "out" / "old").exists())
        with wheel.fresh_folder(self.folder / "out") as fresh:
            (fresh / "new").write_text("")
        self.assertEqual([p.name for p in (self.folder / "out").iterdir()], ["new"])

    def test_stamps_that_the_demo_shows(self):
        for name in ("food/pear.png", "food/cartoon/plum.png", "symbols/money/00_symbols/euro.png",
                     "symbols/math/1.png", "household/toilet.png", "food/fig.png"):
            self.write(name)
            self.write(name.replace(".png", ".txt"), "A pear.\nde.utf8=Eine Birne.\n")
        self.write("food/fig.txt", "\nde.utf8=Eine Feige.\n")
        self.write("food/plum_mirror.png")
        self.assertEqual(list(build_demo.find_stamps(self.folder)),
                         [(pathlib.Path("food/pear.png"), "A pear.")])


class ClipTest(unittest.TestCase):
    def test_frames_are_sampled_at_centres_of_equal_parts(self):
        self.assertEqual(build_bundle.sampled(12, 8), [0, 2, 3, 5, 6, 8, 9, 11])
        self.assertEqual(build_bundle.sampled(1, 3), [0, 0, 0])

    def test_the_clip_pans_over_every_photo(self):
        photos = [Image.linear_gradient("L").convert("RGB"), Image.radial_gradient("L").convert("RGB")]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "clip.gif")
            frames = build_bundle.write_clip(photos, path)
            self.assertEqual(path.read_bytes()[:6], b"GIF89a")
        self.assertEqual(len(frames), build_bundle.GOLDEN_CLIP_FRAMES)
        self.assertEqual({frame.size for frame in frames}, {build_bundle.GOLDEN_CLIP_SIZE})
        self.assertNotEqual(frames[0].tobytes(), frames[-1].tobytes())

    def test_a_long_vector_counts_no_more_than_a_short_one(self):
        vector = build_bundle.video_vector(numpy.array([[9.0, 0.0], [0.0, 1.0]]))
        numpy.testing.assert_allclose(vector, [0.5 ** 0.5, 0.5 ** 0.5])


class SpaceIdTest(unittest.TestCase):
    def test_every_part_counts(self):
        one = build_bundle.space_id(b"text", b"vision")
        self.assertRegex(one, "^[0-9a-f]{32}$")
        self.assertEqual(one, build_bundle.space_id(b"text", b"vision"))
        self.assertNotEqual(one, build_bundle.space_id(b"textv", b"ision"))


if __name__ == "__main__":
    unittest.main()
