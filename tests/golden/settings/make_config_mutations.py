#!/usr/bin/env python3
"""Makes config_*.json beside it: what the reference answers for every key of config.json, changed.

usage: make_config_mutations.py [--keys] [NAME...]        (in the reference environment)
  --keys   print the keys of each file and how the reference knows them; write nothing

A family's folder is one of tests/golden/models/served, or built here in the same way: small, with
made-up weights. Every key that the reference knows (mutations.py says how that is found out) gets
other values, one at a time and then in random pairs, and the reference loads the folder and encodes
some texts and pictures, or continues some prompts. A golden has

  versions         of the libraries
  config, tensors, files            the folder
  served, taken                     the golden that has its other files, and their names
  texts, prompted, pictures, prompts
                   what is encoded (`prompted` texts once more, behind each prompt) or continued
  tables, paths    by the golden's name of a table: the declarations' names of it (file and kind), and
                   where its object stands in config.json
  known            by table: each key and how the reference knows it
  outcomes         what came out, in the order of the inputs: `vectors` with a few elements of each
                   vector, or of the logits behind a prompt; `ids`, what greedily follows a prompt;
                   or in place of them `sampling`, where tokens are drawn
  changes          by table and key: [value, outcome], an index into `outcomes`; -1: not loadable
  pairs            [[table, key, value], [table, key, value], outcome]

Outcome 0 is that of the folder as it is. "Not loadable" is an exception, or weights that are missing
or of another shape, which the reference replaces by random ones.
"""

import argparse
import copy
import dataclasses
import inspect
import json
import logging
import os
import pathlib
import random
import shutil
import sys
import tempfile
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "models")]

import numpy as np
import PIL.Image
import safetensors.torch
import sentence_transformers
import timm
import torch
import transformers
from make_goldens import fill, hash32
from make_tower_goldens import IMAGE, TEXT
from transformers.image_utils import load_image

import mutations as shared

MEDIA = HERE.parent / "media"
SERVED = HERE.parent / "models" / "served"
TEXTS = ["cat", "A cat sleeps on the roof.", "How many boats is it from the harbour? Don't forget it.",
         "Two dogs run along the beach, and a child throws them a red ball. " * 3]
PICTURES = ["preprocess_61x40.png", "preprocess_33x47.png"]
PROMPTS = ["cat", "A cat sleeps on the roof of the old house by the river.",
           "Two dogs run along the beach, and a child throws them a red ball, again and again."]
# Elements kept of a vector, or of logits; digits of each.
KEPT, DIGITS = 6, 6
# Outcomes that differ by less are the same: how attention is computed changes as much.
CLOSE = 2e-5
NEW_TOKENS = 6


class NotLoadable(Exception):
    pass


class LoadingInfo:
    """What from_pretrained says about the weights, whoever calls it."""

    def __init__(self):
        self.missing, self.mismatched = set(), set()
        original = transformers.PreTrainedModel.from_pretrained.__func__

        def from_pretrained(cls, *arguments, **keywords):
            wanted = keywords.pop("output_loading_info", False)
            model, info = original(cls, *arguments, output_loading_info=True, **keywords)
            self.missing |= set(map(str, info["missing_keys"]))
            self.mismatched |= set(map(str, info["mismatched_keys"]))
            return (model, info) if wanted else model

        transformers.PreTrainedModel.from_pretrained = classmethod(from_pretrained)

    def clear(self):
        self.missing, self.mismatched = set(), set()


INFO = LoadingInfo()


def sampled(vector):
    """Evenly chosen elements."""
    values = np.asarray(vector, dtype=np.float64).flatten()
    chosen = values[np.linspace(0, len(values) - 1, min(KEPT, len(values))).astype(int)]
    if not np.isfinite(chosen).all():
        raise NotLoadable("not finite")
    return [float(f"{value:.{DIGITS}g}") for value in chosen]


# --- What the reference does with a folder: each returns {"vectors": …} and perhaps {"ids": …}.


def sentence_transformer(folder):
    model = sentence_transformers.SentenceTransformer(
        folder, device="cpu", local_files_only=True, model_kwargs={"dtype": torch.float32})
    vectors = list(model.encode(TEXTS, batch_size=len(TEXTS)))
    for name in sorted(name for name, prompt in model.prompts.items() if prompt):
        vectors += list(model.encode(TEXTS[:2], prompt_name=name))
    return {"vectors": [sampled(vector) for vector in vectors]}


def texts_of(model_class, embed, pads=False):
    def run(folder):
        model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        fields = tokenizer(TEXTS, truncation=True, return_tensors="pt",
                           padding="max_length" if pads else True)
        return {"vectors": [sampled(vector) for vector in embed(model, fields)]}
    return run


def pictures_of(model_class, embed):
    def run(folder):
        model = model_class.from_pretrained(folder, dtype=torch.float32).eval()
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
        vectors = []
        for picture in PICTURES:
            pixels = processor(load_image(str(MEDIA / picture)), return_tensors="pt").pixel_values
            vectors.append(sampled(embed(model, pixels)[0]))
        return {"vectors": vectors}
    return run


def both(run_texts, run_pictures):
    def run(folder):
        return {"vectors": run_texts(folder)["vectors"] + run_pictures(folder)["vectors"]}
    return run


def class_token(model, pixels):
    return model(pixel_values=pixels, return_dict=True).last_hidden_state[:, 0]


def continued(folder):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    settings = model.generation_config
    vectors, ids = [], []
    for prompt in PROMPTS:
        fields = tokenizer(prompt, return_tensors="pt")
        vectors.append(sampled(model(**fields, return_dict=True).logits[0, -1]))
        if not settings.do_sample:
            made = model.generate(**fields, max_new_tokens=NEW_TOKENS)
            made = getattr(made, "sequences", made)[0]
            ids.append(made[fields.input_ids.shape[1]:].tolist())
    if settings.do_sample:
        return {"vectors": vectors, "sampling": True}
    return {"vectors": vectors, "ids": ids}


def efficientnet(folder):
    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    vectors = []
    for picture in PICTURES:
        pixels = prepare(PIL.Image.open(MEDIA / picture).convert("RGB"))[None]
        vectors.append(sampled(model.forward_head(model.forward_features(pixels), pre_logits=True)[0]))
    return {"vectors": vectors}


# --- The folders.

TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
PROCESSOR = ("preprocessor_config.json", "processor_config.json")


class Family:
    """`tables` maps the name of a table to the configuration class and the path of its object in
    config.json; `run` is one of the functions above."""

    def __init__(self, name, run, tables, served=None, taken=(), own=None, build=None, pairs=150):
        self.name, self.run, self.tables = name, run, tables
        self.served, self.taken, self.own, self.build = served, taken, own or {}, build
        self.pairs = pairs

    def golden(self):
        """The folder's parts."""
        source = json.loads((SERVED / f"{self.served}.json").read_text()) if self.served else {}
        taken = [name for name in source.get("files", {})
                 if name not in self.own and (not self.taken or name in self.taken)]
        golden = {"served": self.served, "taken": taken, "files": self.own}
        if self.build is None:
            golden["config"], golden["tensors"] = source["config"], source["tensors"]
        else:
            golden["config"], golden["tensors"] = self.build(source)
        self.contents = {**{name: source["files"][name] for name in taken}, **self.own}
        return golden

    def inputs(self):
        if self.run is continued:
            return {"prompts": PROMPTS}
        texts = {"texts": TEXTS, "prompted": TEXTS[:2] if self.run is sentence_transformer else []}
        pictures = {"pictures": PICTURES}
        return {**(texts if "tokenizer.json" in self.contents else {}),
                **(pictures if set(PROCESSOR) & set(self.contents) or self.run is efficientnet else {})}

    def write(self, golden, folder):
        for name, content in {**self.contents, "config.json": golden["config"]}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        safetensors.torch.save_file({name: fill(name, shape) for name, shape in golden["tensors"]},
                                    pathlib.Path(folder, "model.safetensors"), metadata={"format": "pt"})


def saved(model):
    """The config.json and the tensors that transformers writes for a model."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = json.loads(pathlib.Path(folder, "config.json").read_text())
        config.pop("transformers_version")
        with safetensors.safe_open(pathlib.Path(folder, "model.safetensors"), "pt") as file:
            tensors = [[name, list(file.get_slice(name).get_shape())] for name in file.keys()
                       if file.get_tensor(name).is_floating_point()]
    return config, tensors


def vocabulary(source):
    config = source["config"]
    return config.get("vocab_size") or config["text_config"]["vocab_size"]


def built(make):
    def build(source):
        return saved(make(source))
    return build


def clip_text(source):
    old = source["config"]["text_config"]
    return transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(
        **{**TEXT, "vocab_size": old["vocab_size"]}, projection_dim=20, max_position_embeddings=32,
        eos_token_id=old["eos_token_id"]))


def clip_vision(source):
    return transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**IMAGE, projection_dim=20))


def siglip_text(source):
    return transformers.SiglipTextModel(transformers.SiglipTextConfig(
        **{**TEXT, "vocab_size": vocabulary(source)}, max_position_embeddings=24, projection_size=20))


def siglip_vision(source):
    return transformers.SiglipVisionModel(transformers.SiglipVisionConfig(
        **{**IMAGE, "hidden_size": 32, "num_attention_heads": 2}))


def decoder(model_class, config_class, **more):
    def make(source):
        return model_class(config_class(**{
            **TEXT, "vocab_size": vocabulary(source), "num_attention_heads": 2, "num_key_value_heads": 1,
            "head_dim": 16, "max_position_embeddings": 96, "eos_token_id": 2, "bos_token_id": 1, **more}))
    return built(make)


def efficientnet_folder(_):
    architecture = "tf_efficientnet_lite0"
    model = timm.create_model(architecture, num_classes=10)
    tensors = [[name, list(tensor.shape)] for name, tensor in model.state_dict().items()
               if tensor.is_floating_point()]
    config = {"architecture": architecture, "num_classes": 10, "num_features": 1280, "global_pool": "avg",
              "pretrained_cfg": {"input_size": [3, 64, 64], "interpolation": "bicubic", "crop_pct": 0.875,
                                 "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2], "num_classes": 10,
                                 "pool_size": [2, 2], "first_conv": "conv_stem", "classifier": "classifier"}}
    return config, tensors


C = transformers
# What the declarations call the object of rope_parameters, the same for all decoders.
ROPE_TABLE = "decoders.rope_parameters"
CLIP_TABLES = {"clip": (C.CLIPConfig, ()), "clip.text_config": (C.CLIPTextConfig, ("text_config",)),
               "clip.vision_config": (C.CLIPVisionConfig, ("vision_config",))}
SIGLIP_TABLES = {"siglip": (C.SiglipConfig, ()), "siglip.text_config": (C.SiglipTextConfig, ("text_config",)),
                 "siglip.vision_config": (C.SiglipVisionConfig, ("vision_config",))}
def pooling(**modes):
    return {"1_Pooling/config.json": {"word_embedding_dimension": TEXT["hidden_size"], **modes}}


def get_text(model, fields):
    return model.get_text_features(**fields, return_dict=True).pooler_output


def get_image(model, pixels):
    return model.get_image_features(pixel_values=pixels, return_dict=True).pooler_output


FAMILIES = [
    Family("bert", sentence_transformer, {"bert": (C.BertConfig, ())}, served="bge", taken=TOKENIZER),
    Family("bert_sentence", sentence_transformer, {"bert": (C.BertConfig, ())}, served="bge",
           own=pooling(pooling_mode_cls_token=True, pooling_mode_mean_tokens=False)),
    Family("qwen3", sentence_transformer, {"qwen3": (C.Qwen3Config, ())}, served="qwen3",
           own=pooling(pooling_mode="lasttoken")),
    Family("clip", both(texts_of(C.CLIPModel, get_text), pictures_of(C.CLIPModel, get_image)), CLIP_TABLES,
           served="clip"),
    Family("clip_text", texts_of(C.CLIPTextModelWithProjection, lambda model, fields: model(**fields, return_dict=True).text_embeds),
           {"clip_text_model": (C.CLIPTextConfig, ())}, served="clip", taken=TOKENIZER, build=built(clip_text)),
    Family("clip_vision", pictures_of(C.CLIPVisionModelWithProjection,
                                      lambda model, pixels: model(pixel_values=pixels, return_dict=True).image_embeds),
           {"clip_vision_model": (C.CLIPVisionConfig, ())}, served="vit", taken=PROCESSOR, build=built(clip_vision)),
    Family("siglip", both(texts_of(C.SiglipModel, get_text, pads=True), pictures_of(C.SiglipModel, get_image)),
           SIGLIP_TABLES, served="siglip"),
    Family("siglip_text", texts_of(C.SiglipTextModel, lambda model, fields: model(**fields, return_dict=True).pooler_output, pads=True),
           {"siglip_text_model": (C.SiglipTextConfig, ())}, served="siglip", taken=TOKENIZER,
           build=built(siglip_text)),
    Family("siglip_vision", pictures_of(C.SiglipVisionModel, lambda model, pixels: model(pixel_values=pixels, return_dict=True).pooler_output),
           {"siglip_vision_model": (C.SiglipVisionConfig, ())}, served="siglip", taken=PROCESSOR,
           build=built(siglip_vision)),
    Family("vit", pictures_of(C.ViTModel, class_token), {"vit": (C.ViTConfig, ())}, served="vit"),
    Family("dinov2", pictures_of(C.Dinov2Model, class_token), {"dinov2": (C.Dinov2Config, ())}, served="dinov2"),
    Family("resnet", pictures_of(C.ResNetModel, lambda model, pixels: model(pixel_values=pixels, return_dict=True).pooler_output),
           {"resnet": (C.ResNetConfig, ())}, served="resnet"),
    Family("efficientnet_lite", efficientnet, {
        "timm": (None, ()), "timm.pretrained_cfg": (None, ("pretrained_cfg",)),
        "timm.model_args": (None, ("model_args",))}, build=efficientnet_folder, pairs=50),
    Family("llama", continued, {"llama": (C.LlamaConfig, ())}, served="qwen3", taken=TOKENIZER,
           build=decoder(C.LlamaForCausalLM, C.LlamaConfig)),
    Family("mistral", continued, {"mistral": (C.MistralConfig, ())}, served="qwen3", taken=TOKENIZER,
           build=decoder(C.MistralForCausalLM, C.MistralConfig, sliding_window=None)),
    Family("qwen2", continued, {"qwen2": (C.Qwen2Config, ())}, served="qwen3", taken=TOKENIZER,
           build=decoder(C.Qwen2ForCausalLM, C.Qwen2Config)),
]


# --- Mutations.


def changed(config, changes):
    """`config` with the value of each (path, key, value)."""
    config = copy.deepcopy(config)
    for path, key, value in changes:
        place = config
        for part in path:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[key] = value
    return config


def is_close(a, b):
    if {**a, "vectors": None} != {**b, "vectors": None}:
        return False
    a, b = a["vectors"], b["vectors"]
    return [len(v) for v in a] == [len(v) for v in b] and \
        all(np.allclose(v, w, rtol=0, atol=CLOSE) for v, w in zip(a, b))


class Runner:
    """Runs one family's folder with changes, in one folder whose config.json is written anew."""

    def __init__(self, family, golden, folder):
        self.family, self.golden, self.folder = family, golden, folder
        INFO.clear()
        self.outcomes = [family.run(folder)]
        self.allowed = (INFO.missing, INFO.mismatched)

    def outcome(self, changes):
        pathlib.Path(self.folder, "config.json").write_text(json.dumps(changed(self.golden["config"], changes)))
        INFO.clear()
        try:
            result = self.family.run(self.folder)
        except Exception:
            return -1
        if INFO.missing - self.allowed[0] or INFO.mismatched - self.allowed[1]:
            return -1
        for index, known in enumerate(self.outcomes):
            if is_close(known, result):
                return index
        self.outcomes.append(result)
        return len(self.outcomes) - 1


def timm_defaults(table):
    """{key: default} of timm's config.json, and of the two objects in it."""
    if table.endswith("model_args"):
        of_model = inspect.signature(timm.models.efficientnet.EfficientNet.__init__).parameters
        functions = (timm.models.efficientnet._gen_efficientnet_lite, timm.models.efficientnet._create_effnet,
                     timm.models.build_model_with_cfg, timm.models._efficientnet_builder.resolve_bn_args,
                     timm.models._efficientnet_builder.resolve_act_layer)
        taken = set(of_model).union(*(shared.keys_asked_of(function, ("kwargs",)) for function in functions))
        # The architecture sets these itself, and nothing else may.
        taken -= {"self", "block_args", "num_features", "stem_size", "fix_stem", "round_chs_fn"}
        return {name: getattr(of_model.get(name), "default", None) for name in sorted(taken)}
    defaults = dataclasses.asdict(timm.models.PretrainedCfg())
    if table.endswith("pretrained_cfg"):
        return defaults
    # Without a pretrained_cfg, the file itself is one.
    hub = timm.models._hub
    files = ("cfg", "hf_config", "pretrained_cfg")
    named = shared.keys_asked_of(hub._parse_model_cfg, files) | shared.keys_asked_of(hub.save_config_for_hf, files)
    return {**dict.fromkeys(sorted(named)), **defaults}


def keys_of(family, recorder):
    """{table: {key: how it is known}}"""
    keys = {}
    for table, (config_class, path) in family.tables.items():
        keys[table] = dict.fromkeys(timm_defaults(table), "argument") if config_class is None else \
            shared.config_keys(config_class, recorder, table, family.run is continued)
        if path == () and config_class is not None:
            for name in recorder.reads.get("config.json", ()):
                if shared.is_settable(config_class, name):
                    keys[table].setdefault(name, "read")
        keys[table] = dict(sorted(keys[table].items()))
        if family.run is continued or table == "qwen3":
            keys[f"{table}.rope_parameters"] = shared.rope_keys(recorder)
    return keys


def values_of(family, golden, keys, first):
    """Yields table, key and another value."""
    objects = [path for _, path in family.tables.values()]
    for table, (config_class, path) in family.tables.items():
        written = golden["config"]
        for part in path:
            written = written.get(part, {})
        defaults = config_class(**copy.deepcopy(written)).to_dict() if config_class else timm_defaults(table)
        for key in keys[table]:
            if path + (key,) in objects:
                continue
            default = written.get(key, shared.to_json(defaults.get(key)))
            values = shared.other_values(key, default, defaults)
            if key == "eos_token_id":
                # Tokens that come; 2 is what CLIP's first configurations have.
                values = [ids[2] for ids in first.get("ids", [])] + [2, 3, [3, 5, 2], None]
            for value in values:
                yield table, key, value


def make(family, only_keys):
    golden = {"versions": shared.versions(), **family.golden(), **family.inputs(),
              "paths": {table: list(path) for table, (_, path) in family.tables.items()}}
    golden["tables"] = {table: ["config.json", table] for table in family.tables}
    recorder = shared.Recorder()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        family.write(golden, folder)
        with recorder.recording():
            family.run(folder)
        keys = golden["known"] = keys_of(family, recorder)
        for table in set(keys) - set(family.tables):
            golden["tables"][table] = ["config.json", ROPE_TABLE]
        if only_keys:
            for table, names in keys.items():
                print(f"== config.json of {table}", *(f"{name}\t{how}" for name, how in names.items()), sep="\n")
            return
        runner = Runner(family, golden, folder)

        def outcome(*changes):
            return runner.outcome([(golden["paths"][table], key, value) for table, key, value in changes])

        one = [(*change, outcome(change)) for change in values_of(family, golden, keys, runner.outcomes[0])]
        loadable = [change[:3] for change in one if change[3] >= 0]
        chosen, pairs = random.Random(9), []
        while len(pairs) < family.pairs:
            a, b = chosen.choice(loadable), chosen.choice(loadable)
            if a[:2] != b[:2]:
                pairs.append([a, b, outcome(a, b)])
    changes = {table: {} for table in keys}
    for table, key, value, index in one:
        changes[table].setdefault(key, []).append([value, index])
    golden.update(outcomes=runner.outcomes, changes=changes, pairs=pairs)
    write(HERE / f"config_{family.name}.json", golden)
    indices = [index for *_, index in one]
    print(f"{len(one)} changes: {indices.count(-1)} not loadable, {indices.count(0)} without effect; {len(pairs)} pairs")


def write(path, golden):
    def line(value):
        return json.dumps(value, separators=(",", ":"))

    parts = []
    for key, value in golden.items():
        if key in ("outcomes", "pairs"):
            parts.append(f'"{key}":[\n' + ",\n".join(map(line, value)) + "\n]")
        elif key == "changes":
            tables = [f"{line(table)}:{{\n" + ",\n".join(f"{line(name)}:{line(values)}" for name, values in
                                                          keys.items()) + "}" for table, keys in value.items()]
            parts.append(f'"{key}":{{\n' + ",\n".join(tables) + "\n}")
        else:
            parts.append(f'"{key}":{line(value)}')
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    print(path.name, path.stat().st_size)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity(logging.CRITICAL)
    logging.disable(logging.CRITICAL)
    for family in FAMILIES:
        if not arguments.names or family.name in arguments.names:
            make(family, arguments.keys)


if __name__ == "__main__":
    main()
