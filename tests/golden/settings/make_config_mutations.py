#!/usr/bin/env python3
"""Makes config_*.json beside it: what the reference answers for every key of config.json, changed.

usage: make_config_mutations.py [--keys] [NAME...]        (in the reference environment)
  --keys   print the keys of each table and how the reference knows them; write nothing

A family's folder is one of tests/golden/models/served, or built here in the same way: small, with
made-up weights. Every key that the reference knows (mutations.py says how that is found out) gets
other values, one at a time and then in random pairs, and the reference loads the folder and encodes
some texts and pictures, or continues some prompts. runner.py says what a golden has.
"""

import argparse
import copy
import dataclasses
import inspect
import json
import pathlib
import tempfile

import mutations
from runner import (CONFIG, HERE, PICTURES, PROMPTS, SERVED, TEXTS, Runner, be_quiet, both, class_token,
                    continued, efficientnet, pictures_of, print_keys, record, run_changes,
                    sentence_transformer, texts_of, write, write_folder)

import safetensors
import timm
import transformers
from make_tower_goldens import IMAGE, TEXT

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

    def read(self):
        """The golden's parts that describe the folder, and the contents of its JSON files."""
        source = json.loads((SERVED / f"{self.served}.json").read_text()) if self.served else {}
        taken = [name for name in source.get("files", {})
                 if name not in self.own and (not self.taken or name in self.taken)]
        config, tensors = self.build(source) if self.build else (source["config"], source["tensors"])
        files = {**self.own, CONFIG: config}
        golden = {"served": self.served, "taken": taken, "files": files,
                  "tensors": {"model.safetensors": tensors}}
        contents = {**{name: source["files"][name] for name in taken}, **files}
        return {**golden, **self.inputs(contents)}, contents

    def inputs(self, contents):
        if self.run is continued:
            return {"prompts": PROMPTS}
        texts = {"texts": TEXTS, "prompted": TEXTS[:2] if self.run is sentence_transformer else []}
        pictures = {"pictures": PICTURES}
        return {**(texts if "tokenizer.json" in contents else {}),
                **(pictures if set(PROCESSOR) & set(contents) or self.run is efficientnet else {})}


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


def decoder(model_class, config_class, drop=(), **more):
    """`drop`: keys that follow from others, which the file has alone."""
    def make(source):
        return model_class(config_class(**{
            **TEXT, "vocab_size": vocabulary(source), "num_attention_heads": 2, "num_key_value_heads": 1,
            "head_dim": 16, "max_position_embeddings": 96, "eos_token_id": 2, "bos_token_id": 1, **more}))

    def build(source):
        config, tensors = saved(make(source))
        return {key: value for key, value in config.items() if key not in drop}, tensors
    return build


def efficientnet_folder(_, flat=False):
    """`flat`: as timm wrote files of old, without an object pretrained_cfg."""
    architecture = "tf_efficientnet_lite0"
    model = timm.create_model(architecture, num_classes=10)
    tensors = [[name, list(tensor.shape)] for name, tensor in model.state_dict().items()
               if tensor.is_floating_point()]
    config = {"architecture": architecture, "num_classes": 10, "num_features": 1280, "global_pool": "avg",
              "pretrained_cfg": {"input_size": [3, 64, 64], "interpolation": "bicubic", "crop_pct": 0.875,
                                 "mean": [0.5, 0.4, 0.3], "std": [0.5, 0.25, 0.2], "num_classes": 10,
                                 "pool_size": [2, 2], "first_conv": "conv_stem", "classifier": "classifier"}}
    if flat:
        config = {"architecture": architecture, **config["pretrained_cfg"]}
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
    Family("efficientnet_lite_flat", efficientnet, {"timm": (None, ())},
           build=lambda source: efficientnet_folder(source, flat=True), pairs=20),
    Family("llama", continued, {"llama": (C.LlamaConfig, ())}, served="qwen3", taken=TOKENIZER,
           build=decoder(C.LlamaForCausalLM, C.LlamaConfig)),
    Family("mistral", continued, {"mistral": (C.MistralConfig, ())}, served="qwen3", taken=TOKENIZER,
           build=decoder(C.MistralForCausalLM, C.MistralConfig, sliding_window=None)),
    Family("qwen2", continued, {"qwen2": (C.Qwen2Config, ())}, served="qwen3", taken=TOKENIZER,
           build=decoder(C.Qwen2ForCausalLM, C.Qwen2Config)),
    Family("qwen3_lm", continued, {"qwen3 for generation": (C.Qwen3Config, ())}, served="qwen3", taken=TOKENIZER,
           build=decoder(C.Qwen3ForCausalLM, C.Qwen3Config, drop=("layer_types",), use_sliding_window=True,
                         sliding_window=8, max_window_layers=1), pairs=60),
    Family("smollm3", continued, {"smollm3": (C.SmolLM3Config, ())}, served="qwen3", taken=TOKENIZER,
           build=decoder(C.SmolLM3ForCausalLM, C.SmolLM3Config, drop=("layer_types", "no_rope_layers"),
                         no_rope_layer_interval=2, use_sliding_window=True, sliding_window=8, pad_token_id=None),
           pairs=60),
]


def timm_defaults(table):
    """{key: default} of timm's config.json, and of the two objects in it."""
    if table.endswith("model_args"):
        of_model = inspect.signature(timm.models.efficientnet.EfficientNet.__init__).parameters
        functions = (timm.models.efficientnet._gen_efficientnet_lite, timm.models.efficientnet._create_effnet,
                     timm.models.build_model_with_cfg, timm.models._efficientnet_builder.resolve_bn_args,
                     timm.models._efficientnet_builder.resolve_act_layer)
        taken = set(of_model).union(*(mutations.keys_asked_of(function, ("kwargs",)) for function in functions))
        # The architecture sets these itself, and nothing else may.
        taken -= {"self", "block_args", "num_features", "stem_size", "fix_stem", "round_chs_fn"}
        return {name: getattr(of_model.get(name), "default", None) for name in sorted(taken)}
    defaults = dataclasses.asdict(timm.models.PretrainedCfg())
    if table.endswith("pretrained_cfg"):
        return defaults
    # Without a pretrained_cfg, the file itself is one.
    hub = timm.models._hub
    files = ("cfg", "hf_config", "pretrained_cfg")
    named = mutations.keys_asked_of(hub._parse_model_cfg, files) | mutations.keys_asked_of(hub.save_config_for_hf, files)
    return {**dict.fromkeys(sorted(named)), **defaults}


def keys_of(family, recorder):
    """{table: {key: how it is known}}"""
    keys = {}
    for table, (config_class, path) in family.tables.items():
        keys[table] = dict.fromkeys(timm_defaults(table), "argument") if config_class is None else \
            mutations.config_keys(config_class, recorder, table, family.run is continued)
        if path == () and config_class is not None:
            for name in recorder.reads.get("config.json", ()):
                if mutations.is_settable(config_class, name):
                    keys[table].setdefault(name, "read")
        keys[table] = dict(sorted(keys[table].items()))
        if family.run is continued or table == "qwen3":
            keys[f"{table}.rope_parameters"] = mutations.rope_keys()
    return keys


def values_of(family, config, keys, first):
    """Yields table, key and another value."""
    objects = [path for _, path in family.tables.values()]
    for table, (config_class, path) in family.tables.items():
        written = config
        for part in path:
            written = written.get(part, {})
        defaults = config_class(**copy.deepcopy(written)).to_dict() if config_class else timm_defaults(table)
        for key in keys[table]:
            if path + (key,) in objects:
                # What stands in it is changed by its own table.
                yield table, key, None
                continue
            default = written.get(key, mutations.to_json(defaults.get(key)))
            values = mutations.other_values(key, default, defaults)
            if key in ("text_config_dict", "vision_config_dict"):
                tower = written[key.removesuffix("_dict")]
                values = [{**tower, "hidden_act": "relu"}, {**tower, "num_hidden_layers": 1}, {"hidden_act": "relu"}, {},
                          None]
            if key == "eos_token_id":
                # Tokens that come; 2 is what CLIP's first configurations have.
                values = [ids[2] for ids in first.get("ids", [])] + [2, 3, [3, 5, 2], None]
            for value in values:
                yield table, key, value


def make(family, only_keys):
    parts, contents = family.read()
    golden = {"versions": mutations.versions(), **parts,
              "tables": {table: [CONFIG, table] for table in family.tables},
              "paths": {table: [CONFIG, *path] for table, (_, path) in family.tables.items()}}
    with tempfile.TemporaryDirectory() as folder:
        write_folder(folder, contents, golden["tensors"])
        # Some keys are asked for only where positions are scaled.
        recorder, first = record(folder, contents, family.run, [((CONFIG,), "rope_scaling", mutations.LLAMA3)])
        known = golden["known"] = keys_of(family, recorder)
        for table in set(known) - set(family.tables):
            golden["tables"][table] = [CONFIG, ROPE_TABLE]
        if only_keys:
            print_keys(known)
            return
        run_changes(golden, Runner(folder, contents, family.run),
                    values_of(family, contents[CONFIG], known, first), family.pairs)
    write(HERE / f"config_{family.name}.json", golden)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    be_quiet()
    for family in FAMILIES:
        if not arguments.names or family.name in arguments.names:
            make(family, arguments.keys)


if __name__ == "__main__":
    main()
