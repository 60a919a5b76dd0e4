#!/usr/bin/env python3
"""Makes names.json, heads.json and shards.json beside it: what transformers makes of checkpoints whose tensors have other
names, of language models' heads, and of checkpoints in several files.

usage: make_name_goldens.py        (needs torch, transformers)

The models are those of ../models, with their made-up weights. names.json lists, by model, changes of all names and
whether transformers loads the very same model from the renamed file. heads.json has variants of one language model:
the tensors dropped, added or changed, and the logits, or null where transformers makes up a tensor by chance.
shards.json has folders of several files: by file and tensor the name that its values are made from, whether
transformers loads it, and the tensors whose values are made from another name than their own then.
"""

import json
import pathlib
import sys
import tempfile

import safetensors.torch
import torch
import transformers

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "models"))
from make_goldens import fill, rounded  # noqa: E402

GAMMA = [["replace", "LayerNorm.weight", "LayerNorm.gamma"], ["replace", "LayerNorm.bias", "LayerNorm.beta"]]
ATTENTION = [["replace", "attention.attention.query", "attention.q_proj"],
             ["replace", "attention.attention.key", "attention.k_proj"],
             ["replace", "attention.attention.value", "attention.v_proj"],
             ["replace", "attention.output.dense", "attention.o_proj"]]
VIT = ATTENTION + [["replace", "encoder.layer.", "layers."], ["replace", "intermediate.dense", "mlp.fc1"],
                   ["replace", "output.dense", "mlp.fc2"]]
RENAMINGS = {
    "bert_mean": [GAMMA, [["add", "bert."]], GAMMA + [["add", "bert."]], [["replace", "LayerNorm.weight", "gamma"]]],
    "bert_cls": [GAMMA, [["drop", "bert."]]],
    "clip": [[["add", "clip."]], [["replace", "text_model.", "text_model.text_model."]],
             [["replace", "vision_model.", "vision_model.vision_model."]]],
    "clip_text": [[["drop", "text_model."]], [["add", "text_model."]]],
    "clip_vision": [[["drop", "vision_model."]]],
    "siglip": [[["add", "siglip."]]],
    "siglip_text": [[["add", "text_model."]]],
    "siglip_vision": [[["add", "vision_model."]]],
    "vit": [VIT, [["add", "vit."]], VIT + [["add", "vit."]]],
    "vit_head": [VIT, [["drop", "vit."]]],
    "dinov2": [ATTENTION, [["add", "dinov2."]]],
    "resnet": [[["add", "resnet."]]],
    "resnet_head": [[["drop", "resnet."]]],
    "qwen3": [[["add", "model."]]],
    "qwen3_lm": [[["drop", "model."]]],
    "llama_tied": [[["drop", "model."]]],
    "llama3_scaled": [[["drop", "model."]], [["replace", "lm_head.", "model.lm_head."]]],
    "mistral": [[["drop", "model."]]],
    "qwen2": [[["drop", "model."]]],
}
# Of the others the encoder alone is served, which AutoModel takes out of a model with a head.
CLASSES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM",
           "clip_text_model": "CLIPTextModelWithProjection", "clip_vision_model": "CLIPVisionModelWithProjection",
           "siglip_text_model": "SiglipTextModel"}


def renamed(name, changes):
    for kind, text, *new in changes:
        if kind == "add":
            name = text + name
        elif kind == "drop":
            name = name.removeprefix(text)
        else:
            name = name.replace(text, new[0])
    return name


def counts(key):
    """Whether a vector depends on a tensor: not on poolers, nor on what batch normalisation counts."""
    return not key.startswith("pooler.") and not key.endswith(".num_batches_tracked")


def load(config, tensors):
    """The model that transformers loads, and the names of the tensors that it made up."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(json.dumps(config))
        safetensors.torch.save_file(tensors, pathlib.Path(folder, "model.safetensors"), metadata={"format": "pt"})
        name = CLASSES.get(config["model_type"], "AutoModel")
        model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    return model.eval(), sorted(key for key in info["missing_keys"] if counts(key))


def read(name):
    return json.loads((HERE.parent / "models" / f"{name}.json").read_text())


def check_names():
    cases = []
    for name, variants in RENAMINGS.items():
        golden = read(name)
        made = {stored: fill(stored, shape) for stored, shape in golden["tensors"]}
        expected, missing = load(golden["config"], made)
        assert not missing, (name, missing)
        expected = expected.state_dict()
        for changes in variants:
            model, missing = load(golden["config"], {renamed(key, changes): value for key, value in made.items()})
            state = model.state_dict()
            same = not missing and all(torch.equal(state[key], value) for key, value in expected.items() if counts(key))
            cases.append({"golden": name, "changes": changes, "same": same})
            print(name, changes, same)
    return cases


def check_heads():
    golden = read("llama_tied")
    table, head = "model.embed_tokens.weight", "lm_head.weight"
    made = {stored: fill(stored, shape) for stored, shape in golden["tensors"]}
    ids = torch.tensor([golden["prompts"][1]])
    cases = []
    for name, tied, drop, add in (
            ("tied, no head", True, [], {}), ("tied, the same head", True, [], {head: table}),
            ("tied, another head", True, [], {head: head}), ("tied, the head alone", True, [table], {head: table}),
            ("not tied, no head", False, [], {}), ("not tied, the same head", False, [], {head: table}),
            ("not tied, another head", False, [], {head: head}),
            ("not tied, the head alone", False, [table], {head: head}), ("tied, neither", True, [table], {})):
        tensors = {key: value for key, value in made.items() if key not in drop}
        tensors.update({key: fill(source, list(made[table].shape)) for key, source in add.items()})
        model, missing = load(golden["config"] | {"tie_word_embeddings": tied}, tensors)
        logits = None if missing else rounded(model(ids).logits[0, -1])
        cases.append({"name": name, "tied": tied, "drop": drop, "add": add, "logits": logits})
        print(name, missing)
    return {"golden": "llama_tied", "prompt": golden["prompts"][1], "cases": cases}


def shard_cases(names):
    """Name, files and index of each folder; `names` are the model's tensors, whose first stands twice."""
    half = len(names) // 2
    one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    first = {name: name for name in names[:half]}
    second = {name: name for name in names[half:]}
    twice = {**second, names[0]: "other"}
    weight_map = {**{name: one for name in first}, **{name: two for name in second}}
    without = {name: file for name, file in weight_map.items() if name != names[0]}

    def index(weight_map):
        return {"metadata": {"total_size": 0}, "weight_map": weight_map}

    yield "two files", {one: first, two: second}, index(weight_map)
    yield "twice, the first is named", {one: first, two: twice}, index(weight_map)
    yield "twice, the last is named", {one: first, two: twice}, index({**weight_map, names[0]: two})
    yield "twice, none is named", {one: first, two: twice}, index(without)
    yield "once, not named", {one: first, two: second}, index(without)
    yield "in the other file", {one: first, two: second}, index({**weight_map, names[0]: two})
    yield "no metadata", {one: first, two: second}, {"weight_map": weight_map}
    yield "metadata is no object", {one: first, two: second}, {"metadata": 1, "weight_map": weight_map}
    yield "no map", {one: first, two: second}, {"metadata": {}}
    yield "an empty map", {one: first, two: second}, index({})
    yield "a file is missing", {one: first}, index(weight_map)
    yield "a whole file beside them", {one: first, two: second, "model.safetensors": {**first, **twice}}, index(weight_map)


def check_shards():
    config = {"model_type": "bert", "vocab_size": 5, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1,
              "intermediate_size": 3, "max_position_embeddings": 2}
    model = transformers.BertModel(transformers.BertConfig(**config), add_pooling_layer=False)
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    cases = []
    for name, files, index in shard_cases(list(shapes)):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "config.json").write_text(json.dumps(config))
            pathlib.Path(folder, "model.safetensors.index.json").write_text(json.dumps(index))
            for file, tensors in files.items():
                made = {key: fill(source, shapes[key]) for key, source in tensors.items()}
                safetensors.torch.save_file(made, pathlib.Path(folder, file), metadata={"format": "pt"})
            loaded = None
            try:
                state = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).state_dict()
                loaded = {key: next(source for source in (key, "other") if torch.equal(value, fill(source, shapes[key])))
                          for key, value in state.items()}
            except (KeyError, TypeError, OSError, IndexError) as error:
                print(name, repr(error)[:80])
        changed = {key: source for key, source in (loaded or {}).items() if key != source}
        cases.append({"name": name, "files": files, "index": index, "loads": loaded is not None, "others": changed})
        print(name, loaded is not None, changed)
    return {"shapes": shapes, "cases": cases}


def write(name, value):
    lines = json.dumps(value).replace('{"golden"', '\n{"golden"').replace('{"name"', '\n{"name"')
    (HERE / name).write_text(lines + "\n")
    print(name, (HERE / name).stat().st_size)


def main():
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    write("names.json", {"transformers": transformers.__version__, "cases": check_names()})
    write("heads.json", {"transformers": transformers.__version__, **check_heads()})
    write("shards.json", {"transformers": transformers.__version__, **check_shards()})


if __name__ == "__main__":
    main()
