import json
import math
import pathlib
import tempfile
import unittest

import numpy
import safetensors.numpy
import tokenizers

import bert

WIDTH, INNER, HEADS, POSITIONS = 8, 16, 2, 6
WORDS = ["[PAD]", "[UNK]", "red", "green", "blue", "grey"]


def write_model(folder, layers=2, seed=0):
    """A BERT of random weights over six words, as a sentence-transformers folder."""
    random = numpy.random.default_rng(seed)

    def tensor(*shape):
        return random.standard_normal(shape).astype(numpy.float32)

    weights = {"embeddings.word_embeddings.weight": tensor(len(WORDS), WIDTH),
               "embeddings.position_embeddings.weight": tensor(POSITIONS, WIDTH),
               "embeddings.token_type_embeddings.weight": tensor(2, WIDTH)}
    shapes = {"embeddings.LayerNorm": (WIDTH,)}
    for layer in range(layers):
        name = f"encoder.layer.{layer}"
        shapes |= {f"{name}.attention.self.{part}": (WIDTH, WIDTH) for part in ("query", "key", "value")}
        shapes |= {f"{name}.attention.output.dense": (WIDTH, WIDTH),
                   f"{name}.attention.output.LayerNorm": (WIDTH,),
                   f"{name}.intermediate.dense": (INNER, WIDTH),
                   f"{name}.output.dense": (WIDTH, INNER), f"{name}.output.LayerNorm": (WIDTH,)}
    for name, shape in shapes.items():
        weights |= {f"{name}.weight": tensor(*shape), f"{name}.bias": tensor(shape[0])}
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({
        "hidden_act": "gelu", "position_embedding_type": "absolute", "hidden_size": WIDTH,
        "num_attention_heads": HEADS, "num_hidden_layers": layers, "layer_norm_eps": 1e-12,
        "pad_token_id": 0}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": POSITIONS}))
    vocabulary = {word: i for i, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    # What an exporter leaves behind must not matter.
    tokenizer.enable_padding(length=POSITIONS)
    tokenizer.enable_truncation(2)
    tokenizer.save(str(folder / "tokenizer.json"))


class FunctionsTest(unittest.TestCase):
    def test_erf(self):
        x = numpy.linspace(-6, 6, 2001)
        exact = [math.erf(v) for v in x]
        numpy.testing.assert_allclose(bert.erf(x), exact, rtol=0, atol=2e-7)

    def test_gelu(self):
        numpy.testing.assert_allclose(
            bert.gelu(numpy.float32([-1, 0, 1, 10])), [-0.158655, 0, 0.841345, 10], atol=1e-6)

    def test_layer_norm(self):
        x = numpy.float32([[1, 2, 3, 4], [-5, 0, 0, 5]])
        plain = bert.layer_norm(x, numpy.float32(1), numpy.float32(0), 0)
        numpy.testing.assert_allclose(plain.mean(-1), 0, atol=1e-6)
        numpy.testing.assert_allclose(plain.var(-1), 1, rtol=1e-5)
        numpy.testing.assert_allclose(
            bert.layer_norm(x, numpy.float32(2), numpy.float32(1), 0), 2 * plain + 1, rtol=1e-5)

    def test_mean_pool_ignores_padding(self):
        hidden = numpy.float32([[[1, 2], [3, 4], [100, 100]]])
        pooled = bert.mean_pool(hidden, numpy.array([[1, 1, 0]]))
        numpy.testing.assert_array_equal(pooled, [[2, 3]])


class SentenceEncoderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_a_text_does_not_depend_on_its_neighbours(self):
        write_model(self.folder)
        encoder = bert.SentenceEncoder(self.folder)
        texts = ["red", "green blue grey red green", "blue red", "what"]
        together = encoder.encode(texts, batch=3)
        for text, vector in zip(texts, together):
            numpy.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-6)
        numpy.testing.assert_allclose(numpy.linalg.norm(together, axis=1), 1, rtol=1e-6)
        self.assertGreater(numpy.abs(together[0] - together[2]).max(), 1e-3)

    def test_order_matters_and_the_end_is_cut(self):
        write_model(self.folder)
        encoder = bert.SentenceEncoder(self.folder)
        six, seven, swapped = encoder.encode(
            ["red green blue grey red blue", "red green blue grey red blue green",
             "green red blue grey red blue"])
        numpy.testing.assert_allclose(six, seven, atol=1e-6)
        self.assertGreater(numpy.abs(six - swapped).max(), 1e-3)

    def test_without_layers_it_is_the_normed_embedding(self):
        write_model(self.folder, layers=0)
        encoder = bert.SentenceEncoder(self.folder)
        w = encoder.weights
        embedding = (w["embeddings.word_embeddings.weight"][2]
                     + w["embeddings.position_embeddings.weight"][0]
                     + w["embeddings.token_type_embeddings.weight"][0])
        normed = ((embedding - embedding.mean()) / embedding.std()
                  * w["embeddings.LayerNorm.weight"] + w["embeddings.LayerNorm.bias"])
        numpy.testing.assert_allclose(encoder.encode(["red"])[0],
                                      normed / numpy.linalg.norm(normed), atol=1e-5)

    def test_refuses_another_architecture(self):
        write_model(self.folder)
        config = json.loads((self.folder / "config.json").read_text())
        (self.folder / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
        with self.assertRaisesRegex(ValueError, "gelu"):
            bert.SentenceEncoder(self.folder)


if __name__ == "__main__":
    unittest.main()
