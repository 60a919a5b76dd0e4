"""Pictures into the text space without training: ConSE (Norouzi et al. 2013, arXiv:1312.5650).

A picture's vector is the mean of its most probable classes' text vectors, weighted by the
classifier's probabilities.
"""

import numpy

import bert

TOP_K = 10
TEMPERATURE = 1.0


def class_texts(synset_ids, lemmas):
    """For each class the texts whose mean vector stands for it: one for each of its names."""
    return [[f"a photo of a {name}" for name in lemmas[synset].split(", ")]
            for synset in synset_ids]


def class_vectors(encoder, texts):
    """Lists of texts → unit vectors [classes, width]: the normalised mean of the texts' vectors."""
    flat = sorted({text for group in texts for text in group})
    vectors = dict(zip(flat, encoder.encode(flat)))
    means = [numpy.mean([vectors[text] for text in group], 0) for group in texts]
    return bert.normalize(numpy.array(means, numpy.float32))


def image_vectors(logits, vectors, top_k=TOP_K, temperature=TEMPERATURE):
    """Logits [images, classes] → unit vectors [images, width]."""
    probabilities = bert.softmax(logits / numpy.float32(temperature))
    top = numpy.argsort(-probabilities, axis=1)[:, :top_k]
    weights = numpy.take_along_axis(probabilities, top, 1)
    weights /= weights.sum(1, keepdims=True)
    return bert.normalize((weights[:, :, None] * vectors[top]).sum(1))
