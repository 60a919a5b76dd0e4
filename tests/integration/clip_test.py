"""`terminus up --model FOLDER` with a CLIP folder serves texts and images in one space."""

import json
import math
import pathlib
import struct
import tempfile
import unittest
import zlib

from cluster import Cluster
from google.rpc import code_pb2
from terminus.v1 import cluster_pb2, content_pb2, embedding_pb2, modality_pb2

GOLDEN = json.loads((pathlib.Path(__file__).parent.parent / "golden" / "models" / "clip.json")
                    .read_text())
MASK = 0xFFFFFFFF
CHARACTERS = "abcdefghijklmnopqrstuvwxyz"
END = 100  # The end of text, by which the model finds the state to pool.


def hash32(seed, index):
    h = (index * 0x9E3779B1 + seed) & MASK
    h = (h ^ h >> 16) * 0x85EBCA6B & MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & MASK
    return h ^ h >> 16


def fill(name, shape, seed=0x811C9DC5):
    """The same weights as models/checkpoint/fake_checkpoint.cc makes, or others."""
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 & MASK
    count = math.prod(shape)
    offset, scale = 0.0, 0.4
    if len(shape) > 1:
        gain = 1.4 if len(shape) == 4 else 1.0
        scale = 2 * gain * math.sqrt(3 / (count // shape[0]))
    elif name.endswith("weight"):
        offset = 1.0
    return struct.pack(f"<{count}f", *(offset + scale * (hash32(seed, i) / 2.0**32 - 0.5)
                                       for i in range(count)))


def write_safetensors(path, tensors, **seed):
    header, data = {}, b""
    for name, shape in tensors:
        content = fill(name, shape, **seed)
        header[name] = {"dtype": "F32", "shape": shape,
                        "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def tokenizer():
    """Byte-level BPE without merges: id i is the i-th of CHARACTERS; END behind each text."""
    end = "<|endoftext|>"
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": END, "content": end, "single_word": False, "lstrip": False,
                          "rstrip": False, "normalized": False, "special": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True,
                          "use_regex": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"Sequence": {"id": "A", "type_id": 0}},
                       {"SpecialToken": {"id": end, "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {end: {"id": end, "ids": [END], "tokens": [end]}}},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
                    "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {**{c: i for i, c in enumerate(CHARACTERS)}, end: END}, "merges": []},
    }


def write_folder(folder, **seed):
    (folder / "config.json").write_text(json.dumps(GOLDEN["config"]))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer()))
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "do_resize": True, "size": {"height": GOLDEN["height"], "width": GOLDEN["width"]},
        "do_center_crop": False, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "image_mean": GOLDEN["mean"], "image_std": GOLDEN["std"]}))
    write_safetensors(folder / "model.safetensors", GOLDEN["tensors"], **seed)


def png(index):
    """The golden's picture of that number, without loss."""
    height, width = GOLDEN["height"], GOLDEN["width"]
    first = index * height * width * 3
    pixels = bytes(hash32(7, first + i) & 255 for i in range(height * width * 3))
    rows = b"".join(b"\0" + pixels[y * width * 3:(y + 1) * width * 3] for y in range(height))

    def chunk(kind, content):
        return (struct.pack(">I", len(content)) + kind + content
                + struct.pack(">I", zlib.crc32(kind + content)))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def text_of(ids):
    """The text that is tokenised to `ids`, of which the last is END."""
    assert ids[-1] == END
    return "".join(CHARACTERS[i] for i in ids[:-1])


def vector_of(result):
    tensor = result.vector
    return struct.unpack(f"<{len(tensor.data) // 4}f", tensor.data)


class ClipTest(unittest.TestCase):
    def test_one_folder_serves_texts_and_images_as_transformers_does(self):
        texts = GOLDEN["service_token_ids"]
        with tempfile.TemporaryDirectory() as name:
            write_folder(pathlib.Path(name))
            with Cluster(arguments=["--model", name]) as cluster:
                items = [content_pb2.Content(text=text_of(ids)) for ids in texts]
                items += [content_pb2.Content(image=png(i)) for i in range(3)]
                request = embedding_pb2.EmbedRequest(items=items)
                request.options.no_normalize = True
                response = cluster.embedding.Embed(request, timeout=60)
                models = cluster.cluster.ListModels(cluster_pb2.ListModelsRequest(),
                                                    timeout=10).models
        self.assertEqual({modality_pb2.MODALITY_TEXT, modality_pb2.MODALITY_IMAGE},
                         {m for model in models for m in model.modalities})
        self.assertEqual({(response.space_id, 24)}, {(m.space_id, m.dimension) for m in models})
        expected = GOLDEN["service_vectors"] + GOLDEN["image_vectors"]
        self.assertEqual(len(expected), len(response.results))
        for number, (result, wanted) in enumerate(zip(response.results, expected)):
            self.assertEqual(code_pb2.OK, result.status.code, result.status.message)
            vector = vector_of(result)
            self.assertEqual(len(wanted), len(vector))
            worst = max(abs(a - b) for a, b in zip(vector, wanted))
            self.assertLess(worst, 1e-4, f"item {number}")


if __name__ == "__main__":
    unittest.main()
