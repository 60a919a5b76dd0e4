import unittest

import numpy

import class_mixture
import evaluate


class Encoder:
    """Encodes a text as the unit vector of its first letter's place in the alphabet."""

    def encode(self, texts):
        return numpy.eye(26, dtype=numpy.float32)[[ord(text[0].lower()) - ord("a") for text in texts]]


class ClassMixtureTest(unittest.TestCase):
    def test_class_texts(self):
        texts = class_mixture.class_texts(
            ["n1", "n2"], {"n1": "tench, Tinca tinca", "n2": "ear"}, {"n1": "a fish", "n2": "a fruit"})
        self.assertEqual(texts, [["A tench.", "A Tinca tinca.", "tench: a fish"],
                                 ["An ear.", "ear: a fruit"]])

    def test_class_vectors_are_normalised_means(self):
        vectors = class_mixture.class_vectors(Encoder(), [["a", "b"], ["b"]])
        numpy.testing.assert_allclose(vectors[0, :2], [0.5 ** 0.5, 0.5 ** 0.5], rtol=1e-6)
        numpy.testing.assert_array_equal(vectors[1, :2], [0, 1])

    def test_image_vectors_mix_the_top_classes_only(self):
        logits = numpy.log(numpy.float32([[0.6, 0.3, 0.1]]))
        one, two = (class_mixture.image_vectors(logits, numpy.eye(3, dtype=numpy.float32), k, 1.0)[0]
                    for k in (1, 2))
        numpy.testing.assert_allclose(one, [1, 0, 0], atol=1e-6)
        numpy.testing.assert_allclose(two, numpy.array([2, 1, 0]) / 5 ** 0.5, atol=1e-6)

    def test_temperature_flattens(self):
        logits = numpy.log(numpy.float32([[0.8, 0.2]]))
        vector = class_mixture.image_vectors(logits, numpy.eye(2, dtype=numpy.float32), 2, 2.0)[0]
        self.assertAlmostEqual(vector[0] / vector[1], 2, places=5)


class RecallTest(unittest.TestCase):
    def test_recall(self):
        scores = numpy.array([[3, 2, 1], [3, 2, 1]])
        relevant = numpy.array([[False, True, False], [True, False, True]])
        self.assertEqual([evaluate.recall(scores, relevant, k) for k in (1, 2)], [0.5, 1.0])


if __name__ == "__main__":
    unittest.main()
