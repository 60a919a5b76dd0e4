import pathlib
import tempfile
import unittest

import numpy
from PIL import Image

import pictures


class PicturesTest(unittest.TestCase):
    def test_the_shorter_edge_becomes_256(self):
        for size, expected in (((451, 300), (384, 256)), ((300, 451), (256, 384)),
                               ((100, 100), (256, 256)), ((600, 400), (384, 256))):
            with self.subTest(size):
                self.assertEqual(pictures.resized(size, 256), expected)

    def test_transparency_shows_white(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.png"
            image = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
            image.putpixel((1, 0), (10, 20, 30, 0))
            image.putpixel((2, 0), (0, 0, 0, 128))
            image.save(path)
            rgb = pictures.read_rgb(path)
        self.assertEqual([rgb.getpixel((x, 0)) for x in range(3)],
                         [(10, 20, 30), (255, 255, 255), (127, 127, 127)])

    def test_pixels_are_the_centre_from_minus_one_to_one(self):
        image = Image.new("RGB", (512, 256), "black")
        image.paste((255, 0, 255), (144, 16, 368, 240))
        pixels = pictures.to_pixels(image)
        self.assertEqual(pixels.shape, (3, 224, 224))
        numpy.testing.assert_allclose(pixels[0], 1, atol=1e-6)
        numpy.testing.assert_allclose(pixels[1], -1, atol=1e-6)


if __name__ == "__main__":
    unittest.main()
