"""Text-to-image recall of the numpy reference over a captioned folder.

usage: evaluate.py --bundle FOLDER --demo FOLDER

The same measure as the demo takes through the real cluster; a gap between the two is an error in
one of them. Each distinct caption is a query; a hit is any picture that carries this caption.
"""

import argparse
import json
import pathlib

import numpy
import safetensors.numpy

import bert
import class_mixture
import efficientnet_lite
import pictures


def recall(scores, relevant, k):
    """The share of queries with a relevant picture among the k best.

    Args:
      scores: [queries, pictures].
      relevant: [queries, pictures] of bool.
    """
    best = numpy.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float(numpy.take_along_axis(relevant, best, 1).any(1).mean())


def logits_of(network, paths, batch=16):
    """Logits [paths, classes] of picture files."""
    return numpy.concatenate([
        network.logits(numpy.stack([pictures.to_pixels(pictures.read_rgb(p))
                                    for p in paths[start:start + batch]]))
        for start in range(0, len(paths), batch)])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=pathlib.Path, required=True)
    parser.add_argument("--demo", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    captions = json.loads((arguments.demo / "captions.json").read_text(encoding="utf-8"))
    network = efficientnet_lite.EfficientNetLite0(
        safetensors.numpy.load_file(arguments.bundle / "vision" / "model.safetensors"))
    vectors = safetensors.numpy.load_file(
        arguments.bundle / "projections" / "imagenet.safetensors")["class_vectors"]
    logits = logits_of(network, [arguments.demo / path for path in captions])
    images = class_mixture.image_vectors(logits, vectors)
    queries = sorted(set(captions.values()))
    relevant = numpy.array([[caption == query for caption in captions.values()] for query in queries])
    scores = bert.SentenceEncoder(arguments.bundle / "text").encode(queries) @ images.T
    print(f"{len(captions)} pictures, {len(queries)} captions")
    for k in (1, 5, 10):
        print(f"recall@{k}: {recall(scores, relevant, k):.3f}")


if __name__ == "__main__":
    main()
