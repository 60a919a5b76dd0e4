import unittest

import numpy

import efficientnet_lite


def slow_convolution(x, weight, stride, depthwise):
    """The definition, pixel by pixel: [height, width, channels] → the same."""
    kernel = weight.shape[2]
    before = [efficientnet_lite.same_padding(n, kernel, stride)[0] for n in x.shape[:2]]
    height, width = (-(-n // stride) for n in x.shape[:2])
    out = numpy.zeros((height, width, weight.shape[0]))
    for row, column, o, i, j in numpy.ndindex(height, width, weight.shape[0], kernel, kernel):
        y, z = row * stride + i - before[0], column * stride + j - before[1]
        if 0 <= y < x.shape[0] and 0 <= z < x.shape[1]:
            pixel = x[y, z, o:o + 1] if depthwise else x[y, z]
            out[row, column, o] += pixel @ weight[o, :, i, j]
    return out


class ConvolutionTest(unittest.TestCase):
    def test_same_padding_is_tensorflows(self):
        for size, kernel, stride, expected in ((224, 3, 2, (0, 1)), (112, 5, 2, (1, 2)),
                                               (7, 3, 1, (1, 1)), (7, 5, 2, (2, 2)), (9, 1, 1, (0, 0))):
            with self.subTest(size=size, kernel=kernel, stride=stride):
                self.assertEqual(efficientnet_lite.same_padding(size, kernel, stride), expected)

    def test_against_the_definition(self):
        random = numpy.random.default_rng(1)
        for size, kernel, stride in (((6, 5), 3, 1), ((6, 7), 3, 2), ((8, 7), 5, 2), ((4, 4), 1, 1)):
            with self.subTest(size=size, kernel=kernel, stride=stride):
                x = random.standard_normal((2, *size, 3))
                full = random.standard_normal((4, 3, kernel, kernel))
                depthwise = random.standard_normal((3, 1, kernel, kernel))
                numpy.testing.assert_allclose(
                    efficientnet_lite.convolve(x, full, stride)[1],
                    slow_convolution(x[1], full, stride, False), atol=1e-12)
                numpy.testing.assert_allclose(
                    efficientnet_lite.convolve_depthwise(x, depthwise, stride)[1],
                    slow_convolution(x[1], depthwise, stride, True), atol=1e-12)


class NamesTest(unittest.TestCase):
    def test_timm_names(self):
        for old, new in (
                ("_conv_stem.weight", "conv_stem.weight"), ("_bn0.running_var", "bn1.running_var"),
                ("_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight"),
                ("_blocks.0._project_conv.weight", "blocks.0.0.conv_pw.weight"),
                ("_blocks.0._bn2.bias", "blocks.0.0.bn2.bias"),
                ("_blocks.2._expand_conv.weight", "blocks.1.1.conv_pw.weight"),
                ("_blocks.2._bn0.weight", "blocks.1.1.bn1.weight"),
                ("_blocks.15._project_conv.weight", "blocks.6.0.conv_pwl.weight"),
                ("_blocks.15._bn2.running_mean", "blocks.6.0.bn3.running_mean"),
                ("_bn1.weight", "bn2.weight"), ("_fc.bias", "classifier.bias")):
            with self.subTest(old):
                self.assertEqual(list(efficientnet_lite.to_timm({old: 0})), [new])

    def test_what_only_training_needs_is_left_out(self):
        self.assertEqual(efficientnet_lite.to_timm({"_bn0.num_batches_tracked": 0}), {})

    def test_a_stranger_is_refused(self):
        for name in ("_blocks.16._bn1.weight", "_blocks.0._expand_conv.weight", "head.weight"):
            with self.subTest(name), self.assertRaisesRegex(ValueError, name):
                efficientnet_lite.to_timm({name: 0})


if __name__ == "__main__":
    unittest.main()
