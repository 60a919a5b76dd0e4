#!/usr/bin/env python3
"""Makes sentence_folders.json: what sentence-transformers gives for folders whose files around the
encoder say different things.

usage: make_sentence_folders.py        (in the reference environment)

All variants are of one small BERT with made-up weights. The golden has

  versions            of the libraries
  config, tensors     the encoder
  tokenizers          "lower" and "cased": tokenizer.json and tokenizer_config.json
  variants            name; tokenizer; files by path; weights: tensors by folder, for linear maps;
                      groups of {prompt_name, texts, vectors}
"""

import json
import os
import pathlib
import sys
import tempfile
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "models"))

import safetensors.torch
import sentence_transformers
import torch
import transformers
from make_goldens import fill, rounded
from make_served_goldens import CORPUS
from make_tower_goldens import TEXT, rebuild

TEXTS = ["", "A Cat sleeps on the Roof.", " ".join(CORPUS[:3])]
TYPE = "sentence_transformers.models."
POOLING = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}


def modules(*kinds, prefix=TYPE):
    """modules.json; the first lies in the folder itself."""
    return [{"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": prefix + kind}
            for i, kind in enumerate(kinds)]


def variant(name, kinds=("Transformer", "Pooling"), files=None, dense=None, tokenizer="lower",
            prompts=("",), **pooling):
    made = {"modules.json": modules(*kinds), "1_Pooling/config.json": pooling or POOLING}
    for folder, config in (dense or {}).items():
        made[f"{folder}/config.json"] = config
    made.update(files or {})
    made = {path: content for path, content in made.items() if content is not None}
    return {"name": name, "tokenizer": tokenizer, "files": made, "dense": dense or {},
            "prompts": prompts}


def dense(width, activation, bias=True, size=32):
    return {"in_features": size, "out_features": width, "bias": bias,
            "activation_function": "torch.nn.modules." + activation}


def variants():
    transformer, sentence = "sentence_bert_config.json", "config_sentence_transformers.json"
    both = ("Transformer", "Pooling", "Dense")
    yield variant("mean")
    yield variant("no mode is the mean", word_embedding_dimension=32)
    yield variant("cls", pooling_mode="cls", embedding_dimension=32)
    yield variant("last token", embedding_dimension=32, pooling_mode=["lasttoken"])
    yield variant("named mode before flags", embedding_dimension=32, pooling_mode="cls",
                  pooling_mode_mean_tokens=True)
    yield variant("normalized", (*both[:2], "Normalize"))
    yield variant("new paths", files={"modules.json": [
        {"idx": 0, "name": "0", "path": "",
         "type": "sentence_transformers.base.modules.transformer.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling",
         "type": "sentence_transformers.sentence_transformer.modules.pooling.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize",
         "type": "sentence_transformers.base.modules.normalize.Normalize"}],
        "2_Normalize/config.json": {"module_input_name": "sentence_embedding",
                                    "module_output_name": "sentence_embedding"}})
    for activation in ("activation.Tanh", "linear.Identity", "activation.ReLU", "activation.GELU",
                       "activation.Sigmoid"):
        yield variant("dense " + activation, both, dense={"2_Dense": dense(12, activation)})
    yield variant("dense without bias, normalized, dense again",
                  (*both, "Normalize", "Dense"),
                  dense={"2_Dense": dense(12, "activation.Tanh", bias=False),
                         "4_Dense": dense(20, "linear.Identity", size=12)})
    yield variant("max_seq_length", files={transformer: {"max_seq_length": 8}})
    yield variant("max_length in processing arguments",
                  files={transformer: {"processing_kwargs": {"text": {"max_length": 7}}}})
    yield variant("common processing arguments count more", files={transformer: {
        "processing_kwargs": {"text": {"max_length": 9}, "common": {"max_length": 7}}}})
    yield variant("model_max_length of the tokenizer's arguments",
                  files={transformer: {"tokenizer_args": {"model_max_length": 6}}})
    yield variant("lower-casing in front of a cased tokenizer", tokenizer="cased",
                  files={transformer: {"do_lower_case": True}})
    yield variant("lower-casing in front of a lower-casing tokenizer",
                  files={transformer: {"do_lower_case": True, "max_seq_length": 16}})
    yield variant("cased", tokenizer="cased")
    yield variant("an older name of the file",
                  files={"sentence_distilbert_config.json": {"max_seq_length": 8}})
    yield variant("prompts", prompts=("", "query", "nothing"), files={sentence: {
        "prompts": {"query": "Query: ", "nothing": ""}, "default_prompt_name": None,
        "similarity_fn_name": "dot", "__version__": {"sentence_transformers": "5.0.0"}}})
    yield variant("a default prompt", prompts=("", "query", "nothing"), files={sentence: {
        "prompts": {"query": "Query: ", "nothing": "", "passage": "passage of the "},
        "default_prompt_name": "passage", "model_type": "SentenceTransformer"}})
    # Without modules.json the library does not look at the file.
    yield variant("a default prompt without modules", files={
        "modules.json": None, "1_Pooling/config.json": None,
        sentence: {"prompts": {"passage": "passage of the "}, "default_prompt_name": "passage"}})
    # Texts are not rendered where there is a modules.json whose Transformer does not ask for it.
    yield variant("a chat template beside modules", prompts=("", "query"), files={
        "chat_template.jinja": "system: {{ messages[0].content }}",
        sentence: {"prompts": {"query": "Query: "}}})


def served_vocabulary():
    """The vocabulary of a committed folder: training one gives other ids on each run."""
    served = json.loads((HERE.parent / "models/served/bge.json").read_text())
    return served["files"]["tokenizer.json"]["model"]["vocab"]


def tensors_of(config):
    names = [("linear.weight", [config["out_features"], config["in_features"]])]
    return names + ([("linear.bias", [config["out_features"]])] if config["bias"] else [])


def write_folder(folder, tokenizer, described):
    tokenizer.save_pretrained(folder)
    for path, content in described["files"].items():
        target = pathlib.Path(folder, path)
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(content))
    for name, config in described.pop("dense").items():
        described.setdefault("weights", {})[name] = tensors_of(config)
        safetensors.torch.save_file({tensor: fill(tensor, shape)
                                     for tensor, shape in tensors_of(config)},
                                    pathlib.Path(folder, name, "model.safetensors"))


def encode(folder, described):
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    groups = []
    for prompt in described.pop("prompts"):
        # One at a time: whether a batch changes anything is what the tests ask.
        vectors = [model.encode([text], prompt_name=prompt or None)[0] for text in TEXTS]
        groups.append({"prompt_name": prompt, "texts": TEXTS,
                       "vectors": [rounded(torch.from_numpy(vector)) for vector in vectors]})
    described["groups"] = groups


def main():
    warnings.filterwarnings("ignore")
    vocab = served_vocabulary()
    lower = transformers.BertTokenizer(vocab=vocab, model_max_length=32)
    cased = transformers.BertTokenizer(vocab=vocab, model_max_length=32, do_lower_case=False)
    encoder = transformers.BertModel(transformers.BertConfig(
        **{**TEXT, "vocab_size": len(lower)}, max_position_embeddings=32))
    tokenizers, done = {"lower": lower, "cased": cased}, []
    with tempfile.TemporaryDirectory() as root:
        base = pathlib.Path(root, "base")
        _, config, tensors = rebuild(encoder, base)
        for i, described in enumerate(variants()):
            folder = pathlib.Path(root, str(i))
            folder.mkdir()
            for name in ("config.json", "model.safetensors"):
                (folder / name).symlink_to(base / name)
            write_folder(folder, tokenizers[described["tokenizer"]], described)
            encode(folder, described)
            done.append(described)
        files = {}
        for name, tokenizer in tokenizers.items():
            folder = pathlib.Path(root, name)
            tokenizer.save_pretrained(folder)
            files[name] = {file: json.loads((folder / file).read_text())
                           for file in ("tokenizer.json", "tokenizer_config.json")}
    golden = {"versions": {library.__name__: library.__version__
                           for library in (sentence_transformers, transformers)},
              "config": config, "tensors": tensors, "tokenizers": files, "variants": done}
    (HERE / "sentence_folders.json").write_text(
        json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
