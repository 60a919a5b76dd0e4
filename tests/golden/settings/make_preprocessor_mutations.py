#!/usr/bin/env python3
"""Makes preprocessor_mutations.json: what transformers makes of files that say how pictures are prepared.

usage: make_preprocessor_mutations.py        (needs transformers, torchvision, timm and Pillow)

For each class of image processor that Terminus knows, each key that the class knows gets other values
in a small preprocessor_config.json, alone and in random pairs. Cases of several files follow: which of
them counts, and which class holds where none is named. Each result is a shape and numbers of what
transformers computes on Pillow, or "error". The keys are those of the class's keyword arguments and
attributes, those that its constructors and AutoImageProcessor ask a file for, and those that published
files have from older versions. Folders of timm are read by timm itself.
"""

import contextlib
import inspect
import json
import pathlib
import random
import re
import tempfile

import numpy as np
import PIL
import timm
import torch
import transformers
from PIL import Image
from transformers import AutoImageProcessor, image_processing_base
from transformers.models.auto import image_processing_auto

HERE = pathlib.Path(__file__).parent
PICTURE = "preprocess_33x47.png"
PAIRS = 40  # of each class
SAMPLES = 8  # numbers of each result, beside two weighted means over all

# As small as the classes allow; every key that sizes depend on is there.
BASES = {
    "CLIPImageProcessor": {"size": {"shortest_edge": 12}, "crop_size": {"height": 10, "width": 9}},
    "SiglipImageProcessor": {"size": {"height": 11, "width": 9}},
    "ViTImageProcessor": {"size": {"height": 11, "width": 9}},
    "BitImageProcessor": {"size": {"shortest_edge": 12}, "crop_size": {"height": 10, "width": 9}},
    "ConvNextImageProcessor": {"size": {"shortest_edge": 11}},
    "EfficientNetImageProcessor": {"size": {"height": 11, "width": 9}},
}
# Which models have the class where a file names none.
MODELS = {"clip": "CLIPImageProcessor", "siglip": "SiglipImageProcessor", "vit": "ViTImageProcessor",
          "dinov2": "BitImageProcessor", "resnet": "ConvNextImageProcessor"}

# Keys of published files that no class asks for.
OLD = ["_name_or_path", "_processor_class", "_valid_kwargs_names", "_valid_processor_keys",
       "model_input_names", "processor_class", "transformers_version"]

VALUES = {
    "do_resize": [False, True], "do_rescale": [False, True], "do_normalize": [False, True],
    "do_center_crop": [False, True], "do_pad": [True, False], "do_convert_rgb": [False, True],
    "default_to_square": [True, False], "rescale_offset": [True, False],
    "include_top": [False, True], "use_square_size": [True, False],
    "disable_grouping": [True, False],
    "size": [13, {"height": 8, "width": 14}, {"shortest_edge": 9}, [7, 10],
             {"shortest_edge": 8, "longest_edge": 14}, {"longest_edge": 9},
             {"max_height": 9, "max_width": 12}, {"min_pixels": 64, "max_pixels": 128},
             {"shortest_edge": 9, "longest_edge": None}, {"height": 9}, "12"],
    "crop_size": [8, {"height": 7, "width": 11}, [6, 9], {"height": 15, "width": 14},
                  {"shortest_edge": 8}],
    "pad_size": [16, {"height": 10, "width": 9}, {"height": 20, "width": 21}],
    "resample": [0, 1, 2, 3, 4, 5, 6, "bicubic"],
    "rescale_factor": [0.01, 1, 0],
    "image_mean": [[0.1, 0.2, 0.3], 0.4, [0.1, 0.2]],
    "image_std": [[0.2, 0.3, 0.4], 0.6, [1, 2, 3]],
    "crop_pct": [0.5, 1.0, 0.95],
    "data_format": ["channels_last", "channels_first"],
    "input_data_format": ["channels_last", "channels_first"],
    "return_tensors": ["np", "pt"], "device": ["cpu", "cuda"], "image_seq_length": [3, 577],
    "model_input_names": [["pixels"], []], "processor_class": ["CLIPProcessor", "Nonesuch"],
    "auto_map": [{"AutoProcessor": "code.Processor"}, {"AutoImageProcessor": "code.Processor"}],
    "_valid_processor_keys": [["images", "size"], []], "_valid_kwargs_names": [["size"], []],
    "transformers_version": ["4.40.0", "9.9.9"], "_name_or_path": ["x", ""],
    "_processor_class": ["CLIPProcessor", ""],
}


def type_values(name):
    other = "ViTImageProcessor" if name != "ViTImageProcessor" else "SiglipImageProcessor"
    return [name + "Fast", name + "Pil", other, "Siglip2ImageProcessor", "Nonesuch"]


def values_of(name, key):
    if key == "image_processor_type":
        return type_values(name)
    if key == "feature_extractor_type":  # Counts only where there is no image_processor_type.
        return [name.replace("ImageProcessor", "FeatureExtractor"), "ViTFeatureExtractor"]
    return VALUES[key]


class Recording(dict):
    """Notes each key that is asked for."""

    asked = set()

    def get(self, key, default=None):
        Recording.asked.add(key)
        return super().get(key, default)

    def pop(self, key, *default):
        Recording.asked.add(key)
        return super().pop(key, *default)

    def __getitem__(self, key):
        Recording.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key):
        Recording.asked.add(key)
        return super().__contains__(key)


@contextlib.contextmanager
def recording():
    """Within it, files of image processors are read as recording dicts."""
    load = image_processing_base.safe_load_json_file
    image_processing_base.safe_load_json_file = lambda path: Recording(load(path))
    Recording.asked = set()
    try:
        yield
    finally:
        image_processing_base.safe_load_json_file = load


def prepare(files, picture):
    """Writes the files into a folder; returns [height, width, 3], or None where transformers fails."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            pathlib.Path(folder, name).write_text(json.dumps(content))
        try:
            processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
            pixels = processor(picture, return_tensors="np")["pixel_values"][0]
        except Exception:  # noqa: BLE001 - of whatever kind, transformers does not serve the file
            return None
    return np.moveaxis(np.asarray(pixels), 0, -1) if pixels.ndim == 3 else None


def prepare_timm(config, picture):
    """The same of a timm folder, as timm reads it."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "config.json").write_text(json.dumps(config))
        try:
            model = timm.create_model(f"local-dir:{folder}")
            data = timm.data.resolve_model_data_config(model)
            pixels = timm.data.create_transform(**data)(picture)
        except Exception:  # noqa: BLE001
            return None
    return pixels.permute(1, 2, 0).numpy() if pixels.shape[0] == 3 else None


def weights(count, step):
    """Weights from -1 to 1 that C++ can make too."""
    return ((np.arange(count, dtype=np.int64) * step) % 1009 - 504) / 504


def summary(pixels):
    """A shape and numbers, or "error"."""
    if pixels is None:
        return "error"
    flat = pixels.astype(np.float64).flatten()
    if not np.isfinite(flat).all():
        return "error"
    sampled = [flat[(i * 7919) % flat.size] for i in range(SAMPLES)]
    means = [(flat * weights(flat.size, step)).mean() for step in (31, 577)]
    return [*pixels.shape[:2], *(float(f"{value:.8g}") for value in sampled + means)]


def keys_of(name, picture):
    """Every key that the class, or AutoImageProcessor on its way there, knows."""
    cls = getattr(transformers, name + "Pil")
    keys = set(cls.valid_kwargs.__annotations__)
    for ancestor in cls.__mro__:
        init = ancestor.__dict__.get("__init__")
        if init is not None and ancestor.__module__.startswith("transformers"):
            source = inspect.getsource(init)
            keys.update(re.findall(r'"(\w+)" in kwargs', source))
            keys.update(re.findall(r'kwargs(?:\.get|\.pop)?[\[(]"(\w+)"', source))
    with recording():
        prepare({"preprocessor_config.json": BASES[name], "config.json": {"model_type": "vit"}},
                picture)
        prepare({"preprocessor_config.json": {"image_processor_type": name, **BASES[name]}}, picture)
    return sorted(keys | Recording.asked | set(OLD))


def mutations(name, keys, chance):
    """Sets of keys and values: each key alone, then random pairs."""
    for key in keys:
        for value in values_of(name, key):
            yield {key: value}
    for _ in range(PAIRS):
        pair = chance.sample(keys, 2)
        yield {key: chance.choice(values_of(name, key)) for key in pair}


def class_cases(name, picture, chance):
    keys = keys_of(name, picture)
    base = {"image_processor_type": name, **BASES[name]}
    cases = []
    for change in mutations(name, keys, chance):
        config = {**base, **change}
        if "feature_extractor_type" in change and "image_processor_type" not in change:
            config.pop("image_processor_type")
        cases.append([change, summary(prepare({"preprocessor_config.json": config}, picture))])
    return {"base": base, "keys": keys, "cases": cases}


PROCESSOR_KEYS = {
    "image_processor": [None, {"image_processor_type": "ViTImageProcessor", "size": 9}],
    "processor_class": ["CLIPProcessor", "Nonesuch"],
    "auto_map": [{"AutoProcessor": "code.P"}, {}],
    "transformers_version": ["4.40.0", "9.9.9"],
    "feature_extractor": [{"feature_extractor_type": "ViTFeatureExtractor"}, {}],
    "video_processor": [{"video_processor_type": "LlavaOnevisionVideoProcessor", "size": 9}, {}],
    "tokenizer": [{}, "x"], "chat_template": ["{{ x }}", "{"], "image_seq_length": [3, 9],
}


def folder_cases(picture):
    """Which of several files counts, and which class holds where none is named."""
    nested = {"image_processor": {"image_processor_type": "CLIPImageProcessor",
                                  **BASES["CLIPImageProcessor"]}, "processor_class": "CLIPProcessor"}
    plain = {"image_processor_type": "ViTImageProcessor", "size": 8}
    folders = [{"processor_config.json": {**nested, key: value}, "preprocessor_config.json": plain}
               for key, values in PROCESSOR_KEYS.items() for value in values]
    folders += [{"processor_config.json": nested}, {"processor_config.json": {}},
                {"processor_config.json": {"processor_class": "X"}, "preprocessor_config.json": plain}]
    for model, name in MODELS.items():
        for config in (BASES[name], {}, {"size": 12}):
            folders.append({"preprocessor_config.json": config,
                            "config.json": {"model_type": model}})
    for model in ("clip_vision_model", "siglip_vision_model", "bert"):
        folders.append({"preprocessor_config.json": {"size": 12}, "config.json": {"model_type": model}})
    return [[files, summary(prepare(files, picture))] for files in folders]


TIMM_BASE = {"architecture": "tf_efficientnet_lite0", "num_classes": 4, "num_features": 1280,
             "global_pool": "avg", "pretrained_cfg": {
                 "tag": "in1k", "custom_load": False, "input_size": [3, 12, 12],
                 "fixed_input_size": False, "interpolation": "bicubic", "crop_pct": 0.875,
                 "crop_mode": "center", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5],
                 "num_classes": 4, "pool_size": [7, 7], "first_conv": "conv_stem",
                 "classifier": "classifier", "license": "apache-2.0"}}
TIMM_VALUES = {
    "input_size": [[3, 14, 14], [3, 10, 12], [1, 12, 12]],
    "interpolation": ["bilinear", "nearest", "lanczos", "box", "hamming", "cubic", "random"],
    "crop_pct": [1.0, 0.9, 0.5, 0, 1.5], "crop_mode": ["squash", "border"],
    "mean": [[0.1, 0.2, 0.3], [0.485, 0.456, 0.406]], "std": [[0.2, 0.3, 0.4], [1, 2, 3]],
    "num_classes": [4, 10], "fixed_input_size": [True, False], "label_offset": [1, 0],
    "custom_load": [True, "hf"], "pool_size": [[2, 2], None], "first_conv": ["x", None],
    "classifier": ["x", None], "test_input_size": [[3, 20, 20], None], "test_crop_pct": [0.5, 1.0],
}


def timm_cases(picture, chance):
    """Each key of "pretrained_cfg" in the nested form and in the old one, whose keys stand alone."""
    keys = sorted(timm.models.PretrainedCfg.__dataclass_fields__)
    changes = [{key: value} for key in keys for value in TIMM_VALUES.get(key, ["x", None])]
    used = sorted(TIMM_VALUES)
    for _ in range(PAIRS):
        changes.append({key: chance.choice(TIMM_VALUES[key]) for key in chance.sample(used, 2)})
    cases = []
    for change in changes:
        config = {**TIMM_BASE, "pretrained_cfg": {**TIMM_BASE["pretrained_cfg"], **change}}
        old = {**config["pretrained_cfg"], "architecture": TIMM_BASE["architecture"]}
        cases.append([change, summary(prepare_timm(config, picture)),
                      summary(prepare_timm(old, picture))])
    return {"base": TIMM_BASE, "keys": keys, "cases": cases}


def dumped(value):
    return json.dumps(value, separators=(",", ":"))


def main():
    torch.manual_seed(0)
    chance = random.Random(9)
    picture = Image.open(HERE.parent / "media" / PICTURE).convert("RGB")
    lines = [f'"versions":{dumped({"transformers": transformers.__version__, "timm": timm.__version__, "pillow": PIL.__version__})}',
             f'"picture":{dumped(PICTURE)}']
    classes = []
    for name in BASES:
        made = class_cases(name, picture, chance)
        cases = ",\n".join(map(dumped, made["cases"]))
        classes.append(f'"{name}":{{"base":{dumped(made["base"])},"keys":{dumped(made["keys"])},'
                       f'"cases":[\n{cases}]}}')
    lines.append('"classes":{' + ",\n".join(classes) + "}")
    lines.append(f'"processor_keys":{dumped(sorted(PROCESSOR_KEYS))}')
    lines.append('"folders":[\n' + ",\n".join(map(dumped, folder_cases(picture))) + "]")
    made = timm_cases(picture, chance)
    cases = ",\n".join(map(dumped, made["cases"]))
    lines.append(f'"timm":{{"base":{dumped(made["base"])},"keys":{dumped(made["keys"])},'
                 f'"cases":[\n{cases}]}}')
    path = HERE / "preprocessor_mutations.json"
    path.write_text("{" + ",\n".join(lines) + "}\n")
    print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
