"""Writes the folder of a tiny language model, whose answers tests/golden/models/llama_tied.json has."""

import json
import pathlib

import golden_folder

MODEL = json.loads((golden_folder.GOLDEN / "models" / "llama_tied.json").read_text())


def prompt(number):
    """A prompt of the golden as text: id 55 is the word "w55"."""
    return " ".join(f"w{token}" for token in MODEL["prompts"][number])


def answer(number):
    """The ids that transformers continues that prompt with, greedily."""
    return MODEL["continuations"][number]


def tokenizer():
    words = MODEL["config"]["vocab_size"]
    vocabulary = {"[UNK]": 0, **{f"w{token}": token for token in range(1, words)}}
    return {"version": "1.0", "added_tokens": [], "normalizer": None,
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": None,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": False},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": 100, "vocab": vocabulary}}


def write(folder):
    """A plain folder: config.json, model.safetensors, tokenizer.json, tokenizer_config.json."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    for name, content in {
            "config.json": MODEL["config"], "tokenizer.json": tokenizer(),
            "tokenizer_config.json": {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "chat_template": "{% for message in messages %}{{ message.content }}{% endfor %}"}}.items():
        (folder / name).write_text(json.dumps(content))
    golden_folder.write_safetensors(folder / "model.safetensors", MODEL["tensors"])
    return folder
