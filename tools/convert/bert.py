"""A plain numpy BERT sentence encoder: the reference that the golden vectors come from.

It shares no code with the C++ encoder, so that an error in one does not hide in the other.
Follows Devlin et al. 2018 as Hugging Face's BertModel lays out its tensors, with the mean pooling
of sentence-transformers.
"""

import json
import pathlib

import numpy
import safetensors.numpy
import tokenizers

_MASKED = -1e9  # added to the logit of a padding token; exp() makes it exactly 0


def erf(x):
    """The error function to 1.5e-7 (Abramowitz and Stegun 1964, formula 7.1.26)."""
    t = 1.0 / (1.0 + 0.3275911 * numpy.abs(x))
    polynomial = t * (0.254829592 + t * (-0.284496736 + t * (
        1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return numpy.sign(x) * (1.0 - polynomial * numpy.exp(-x * x))


def gelu(x):
    return 0.5 * x * (1.0 + erf(x * numpy.float32(0.5 ** 0.5)))


def layer_norm(x, weight, bias, epsilon):
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred / numpy.sqrt(variance + numpy.float32(epsilon)) * weight + bias


def softmax(x):
    e = numpy.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def mean_pool(hidden, mask):
    """[batch, tokens, width], [batch, tokens] of 0 and 1 → the mean over each row's real tokens."""
    weights = mask[:, :, None].astype(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def normalize(vectors):
    """Scales each row to unit length."""
    return vectors / numpy.linalg.norm(vectors, axis=-1, keepdims=True)


class SentenceEncoder:
    """Texts → unit vectors [texts, width], from a sentence-transformers folder."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        if self.config["hidden_act"] != "gelu" or self.config["position_embedding_type"] != "absolute":
            raise ValueError(f"{folder}: only BERT with gelu and absolute positions is supported")
        self.weights = safetensors.numpy.load_file(folder / "model.safetensors")
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        # The file's own padding and truncation are what its exporter last used, not the model's.
        self.tokenizer.no_padding()
        self.max_tokens = json.loads(
            (folder / "sentence_bert_config.json").read_text())["max_seq_length"]
        self.tokenizer.enable_truncation(self.max_tokens)

    def encode(self, texts, batch=64):
        """Texts longer than max_tokens are cut at the end, as sentence-transformers does."""
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        vectors = numpy.empty((len(ids), self.config["hidden_size"]), numpy.float32)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))  # so that little is padding
        for start in range(0, len(order), batch):
            rows = order[start:start + batch]
            width = len(ids[rows[-1]])
            tokens = numpy.full((len(rows), width), self.config["pad_token_id"])
            mask = numpy.zeros((len(rows), width), bool)
            for k, i in enumerate(rows):
                tokens[k, :len(ids[i])] = ids[i]
                mask[k, :len(ids[i])] = True
            vectors[rows] = normalize(mean_pool(self.hidden_states(tokens, mask), mask))
        return vectors

    def hidden_states(self, tokens, mask):
        """[batch, tokens] ids and mask → the last layer's [batch, tokens, width]."""
        embeddings = (self._tensor("embeddings.word_embeddings.weight")[tokens]
                      + self._tensor("embeddings.position_embeddings.weight")[:tokens.shape[1]]
                      + self._tensor("embeddings.token_type_embeddings.weight")[0])
        x = self._layer_norm(embeddings, "embeddings.LayerNorm")
        bias = numpy.where(mask, 0, _MASKED).astype(numpy.float32)[:, None, None, :]
        for layer in range(self.config["num_hidden_layers"]):
            x = self._layer(x, bias, f"encoder.layer.{layer}")
        return x

    def _layer(self, x, bias, name):
        attended = self._linear(self._attention(x, bias, f"{name}.attention.self"),
                                f"{name}.attention.output.dense")
        x = self._layer_norm(x + attended, f"{name}.attention.output.LayerNorm")
        inner = gelu(self._linear(x, f"{name}.intermediate.dense"))
        return self._layer_norm(x + self._linear(inner, f"{name}.output.dense"),
                                f"{name}.output.LayerNorm")

    def _attention(self, x, bias, name):
        batch, length, width = x.shape
        heads = self.config["num_attention_heads"]

        def split(part):  # → [batch, heads, tokens, width of a head]
            projected = self._linear(x, f"{name}.{part}")
            return projected.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)

        logits = split("query") @ split("key").transpose(0, 1, 3, 2)
        weights = softmax(logits / numpy.float32((width // heads) ** 0.5) + bias)
        return (weights @ split("value")).transpose(0, 2, 1, 3).reshape(batch, length, width)

    def _tensor(self, name):
        return self.weights[name]

    def _linear(self, x, name):
        flat = x.reshape(-1, x.shape[-1])  # one large product, not one a text
        product = flat @ self._tensor(f"{name}.weight").T
        product += self._tensor(f"{name}.bias")
        return product.reshape(*x.shape[:-1], -1)

    def _layer_norm(self, x, name):
        return layer_norm(x, self._tensor(f"{name}.weight"), self._tensor(f"{name}.bias"),
                          self.config["layer_norm_eps"])
