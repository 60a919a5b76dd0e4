import json
import pathlib
import tempfile
import unittest

import numpy
import tokenizers

import llama
import smollm2

HEADS, KV_HEADS, SIZE, INNER, LAYERS = 4, 2, 8, 24, 2
HIDDEN = HEADS * SIZE
BYTES = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
TOKENS = ["<end>", "<start>"] + BYTES + ["he", "Ġhe"]


class FakeGguf:
    """Random weights over the alphabet of bytes and two merges."""

    def __init__(self, **metadata):
        self.metadata = {
            "general.architecture": "llama", "llama.attention.head_count": HEADS,
            "llama.attention.head_count_kv": KV_HEADS, "llama.embedding_length": HIDDEN,
            "llama.rope.dimension_count": SIZE, "llama.vocab_size": len(TOKENS),
            "llama.feed_forward_length": INNER, "llama.block_count": LAYERS, "llama.context_length": 64,
            "llama.attention.layer_norm_rms_epsilon": 9.999999747378752e-06, "llama.rope.freq_base": 10000.0,
            "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.add_bos_token": False,
            "tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.tokens": TOKENS,
            "tokenizer.ggml.token_type": [3, 3] + [1] * (len(TOKENS) - 2),
            "tokenizer.ggml.merges": ["h e", "Ġ he"], "tokenizer.ggml.bos_token_id": 1,
            "tokenizer.ggml.eos_token_id": 0, "tokenizer.ggml.padding_token_id": 0,
            "tokenizer.ggml.unknown_token_id": 0, "tokenizer.chat_template": "{{ messages }}", **metadata}
        shapes = {"token_embd": (len(TOKENS), HIDDEN), "output_norm": (HIDDEN,)}
        for layer in range(LAYERS):
            shapes |= {f"blk.{layer}.{name}": shape for name, shape in (
                ("attn_norm", (HIDDEN,)), ("attn_q", (HIDDEN, HIDDEN)), ("attn_k", (KV_HEADS * SIZE, HIDDEN)),
                ("attn_v", (KV_HEADS * SIZE, HIDDEN)), ("attn_output", (HIDDEN, HIDDEN)), ("ffn_norm", (HIDDEN,)),
                ("ffn_gate", (INNER, HIDDEN)), ("ffn_up", (INNER, HIDDEN)), ("ffn_down", (HIDDEN, INNER)))}
        random = numpy.random.default_rng(1)
        self.tensors = {name + ".weight": random.standard_normal(shape).astype(numpy.float32)
                        for name, shape in shapes.items()}

    def names(self):
        return list(self.tensors)

    def tensor(self, name):
        return self.tensors[name]


class SmolLm2Test(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_bfloat16_rounds_to_nearest_even(self):
        values = numpy.array([0x3F808000, 0x3F818000, 0x3F808001, 0xBF800000], "<u4").view("<f4")
        self.assertEqual([hex(bits) for bits in smollm2.to_bfloat16(values)], ["0x3f80", "0x3f82", "0x3f81", "0xbf80"])

    def test_folder_holds_the_rounded_tensors(self):
        gguf = FakeGguf()
        smollm2.convert(gguf, self.folder)
        tensors = llama.read_safetensors(self.folder / "model.safetensors")
        self.assertEqual(len(tensors), len(gguf.tensors))
        numpy.testing.assert_allclose(tensors["model.layers.1.mlp.up_proj.weight"],
                                      gguf.tensors["blk.1.ffn_up.weight"], rtol=2 ** -8)
        # Rows 0 and 1 of a head in GGUF are a pair; here they are half a head apart.
        q, packed = tensors["model.layers.0.self_attn.q_proj.weight"], gguf.tensors["blk.0.attn_q.weight"]
        numpy.testing.assert_allclose(q[SIZE:SIZE + SIZE // 2], packed[SIZE:2 * SIZE:2], rtol=2 ** -8)
        numpy.testing.assert_allclose(q[SIZE + SIZE // 2:2 * SIZE], packed[SIZE + 1:2 * SIZE:2], rtol=2 ** -8)

    def test_config(self):
        smollm2.convert(FakeGguf(), self.folder)
        config = json.loads((self.folder / "config.json").read_text())
        self.assertEqual(config["rms_norm_eps"], 1e-5)
        self.assertTrue(config["tie_word_embeddings"])
        self.assertEqual(config["eos_token_id"], 0)
        self.assertEqual(json.loads((self.folder / "tokenizer_config.json").read_text())["bos_token"], "<start>")

    def test_tokenizer_merges_splits_digits_and_knows_special_tokens(self):
        smollm2.convert(FakeGguf(), self.folder)
        tokenizer = tokenizers.Tokenizer.from_file(str(self.folder / "tokenizer.json"))
        self.assertEqual(tokenizer.encode("<start>he he12").tokens, ["<start>", "he", "Ġhe", "1", "2"])
        text = "Ünï\n 3 🚀"
        self.assertEqual(tokenizer.decode(tokenizer.encode(text).ids), text)

    def test_refuses_what_it_does_not_know(self):
        for change in ({"general.architecture": "gpt2"}, {"tokenizer.ggml.pre": "llama-bpe"},
                       {"llama.rope.dimension_count": 4},
                       {"tokenizer.ggml.token_type": [3, 3] + [6] * (len(TOKENS) - 2)}):
            with self.assertRaises(ValueError):
                smollm2.convert(FakeGguf(**change), self.folder)
        with self.assertRaisesRegex(ValueError, "blk.0.attn_sinks"):
            smollm2.hf_name("blk.0.attn_sinks.weight")


class CausalLmTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        smollm2.convert(FakeGguf(), pathlib.Path(folder.name))
        self.model = llama.CausalLm(folder.name)

    def test_sees_the_past_in_its_order_and_no_future(self):
        logits = self.model.logits([5, 6, 7])
        self.assertGreater(numpy.abs(logits - self.model.logits([6, 5, 7])).max(), 1e-3)
        self.assertGreater(numpy.abs(logits - self.model.logits([4, 6, 7])).max(), 1e-3)

    def test_greedy_appends_the_best_and_says_by_how_much(self):
        ids, margins = self.model.greedy([5, 6], 2)
        first, second = numpy.sort(self.model.logits([5, 6]))[[-1, -2]]
        self.assertEqual(ids[0], int(self.model.logits([5, 6]).argmax()))
        self.assertEqual(ids[1], int(self.model.logits([5, 6, ids[0]]).argmax()))
        self.assertAlmostEqual(margins[0], float(first - second), places=5)

    def test_rotation_keeps_lengths_and_depends_on_distance_alone(self):
        random = numpy.random.default_rng(2)
        q, k = (numpy.repeat(random.standard_normal((1, 1, SIZE)), 6, axis=1).astype(numpy.float32) for _ in "qk")
        q, k = llama.rotate(q, 100.0)[0], llama.rotate(k, 100.0)[0]
        numpy.testing.assert_allclose(q[1] @ k[3], q[2] @ k[4], rtol=1e-4)
        numpy.testing.assert_allclose(numpy.linalg.norm(q, axis=1), numpy.linalg.norm(q[0]), rtol=1e-5)


if __name__ == "__main__":
    unittest.main()
