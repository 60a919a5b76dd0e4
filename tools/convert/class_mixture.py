"""Pictures into the text space without training: ConSE (Norouzi et al. 2013, arXiv:1312.5650).

A picture's vector is the mean of its most probable classes' text vectors, weighted by the
classifier's probabilities. README.md says how the constants were chosen.
"""

import numpy

import bert

TOP_K = 20
TEMPERATURE = 2.0  # flattens the probabilities, which a classifier trained on one-hot labels overstates


def class_texts(synset_ids, lemmas, definitions):
    """For each class the texts whose mean stands for it: each of its names, and its definition.

    Args:
      lemmas: synset → comma-separated names.
      definitions: synset → a phrase.
    """
    return [[_sentence(name) for name in lemmas[synset].split(", ")]
            + [f"{lemmas[synset].split(', ')[0]}: {definitions[synset]}"]
            for synset in synset_ids]


def _sentence(name):
    return f"{'An' if name[0].lower() in 'aeiou' else 'A'} {name}."


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
