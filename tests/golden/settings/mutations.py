"""What the scripts of this folder share: which keys the reference knows, and other values for them.

A key of a folder's JSON file counts as known when
  field      the configuration class declares it, or a saved configuration has it;
  map        an attribute map names it, on either side;
  argument   a function that takes the file's keys as keyword arguments names it;
  read       it was asked for while a folder was loaded and run (Recorder);
  generation generation_config.json has it, and transformers looks for it in config.json as well;
  legacy     an older version of the reference wrote it (LEGACY below says which).
"""

import ast
import contextlib
import dataclasses
import inspect
import json
import pathlib
import sys
import textwrap

import torch
import transformers
from transformers import GenerationConfig, PreTrainedConfig
from transformers.modeling_rope_utils import RopeParameters

# Keys that files on people's disks have and that the reference no longer knows, each with the reason
# why it is listed: those of every configuration, then those of one table.
OLD_BASE = "of every configuration of transformers 4"
LEGACY = {
    "_attn_implementation_autoset": "written by transformers 4.48 to 4.50",
    "_flash_attn_2_enabled": "written by transformers 4.35",
    "_num_labels": "written by transformers 2 and 3",
    "add_cross_attention": OLD_BASE,
    "chunk_size_feed_forward": OLD_BASE,
    "cls_token_id": "in the files of some models, beside the ids that every configuration had",
    "cross_attention_hidden_size": OLD_BASE,
    "distributed_config": "an argument of from_pretrained, taken out of the files that transformers writes",
    "decoder_start_token_id": OLD_BASE,
    "finetuning_task": OLD_BASE,
    "gradient_checkpointing": "written by transformers 4.5 to 4.10",
    "is_decoder": OLD_BASE,
    "mask_token_id": "in the files of some models, beside the ids that every configuration had",
    "output_past": "written by transformers 2 and 3",
    "position_embedding_type": "of BERT until transformers 5, and of models derived from it",
    "prefix": OLD_BASE,
    "pruned_heads": OLD_BASE,
    "sep_token_id": OLD_BASE,
    "task_specific_params": OLD_BASE,
    "tf_legacy_loss": OLD_BASE,
    "tie_encoder_decoder": OLD_BASE,
    "tie_word_embeddings": OLD_BASE,
    "tie_last_hidden_states": "documented for every configuration; no model of these reads it",
    "tokenizer_class": OLD_BASE,
    "torchscript": OLD_BASE,
    "transformers.js_config": "in the files of models that browsers run",
    "use_bfloat16": OLD_BASE,
    "use_return_dict": OLD_BASE,
}
GOOGLE_BERT = "in the files that Google published, and never read"
LEGACY_OF = {
    "bert": {"directionality": GOOGLE_BERT, "embedding_size": GOOGLE_BERT, "pooler_fc_size": GOOGLE_BERT,
             "pooler_num_attention_heads": GOOGLE_BERT, "pooler_num_fc_layers": GOOGLE_BERT,
             "pooler_size_per_head": GOOGLE_BERT, "pooler_type": GOOGLE_BERT},
    "clip.text_config": {"dropout": "of CLIP until transformers 4.30"},
    "clip.vision_config": {"dropout": "of CLIP until transformers 4.30"},
    "siglip.text_config": {"dropout": "in the files of the first SigLIP models",
                           "projection_dim": "in the files of the first SigLIP models"},
    "llama": {"rope_interleaved": "in the files of SmolLM2, and never read",
              "use_sliding_window": "in files converted from Qwen2", "max_window_layers": "in files converted from Qwen2"},
    "mistral": {"use_sliding_window": "in files converted from Qwen2",
                "max_window_layers": "in files converted from Qwen2",
                "attention_bias": "in files converted to Mistral's layout", "mlp_bias": "in files converted to Mistral's layout"},
    "qwen2": {"attention_bias": "in files converted to Qwen2's layout", "mlp_bias": "in files converted to Qwen2's layout"},
    "qwen3": {"mlp_bias": "in files converted to Qwen3's layout"},
    "smollm3": {"max_window_layers": "in the files of SmolLM3, and never read",
                "pretraining_tp": "in the files of SmolLM3, and never read"},
}
LEGACY_OF["qwen3 for generation"] = dict(LEGACY_OF["qwen3"])
LEGACY_OF["qwen2"]["use_mrope"] = "in Qwen2's first files"
for table in ("clip.vision_config", "clip_vision_model", "dinov2", "siglip.vision_config", "siglip_vision_model", "vit"):
    LEGACY_OF.setdefault(table, {})["image_processor_type"] = "of preprocessor_config.json, and sometimes here"
DECODERS = ("llama", "mistral", "qwen2", "qwen3", "qwen3 for generation", "smollm3")
for table in DECODERS:
    LEGACY_OF[table]["is_llama_config"] = "in files converted to Llama's layout"
for table in DECODERS:
    LEGACY_OF[table].setdefault("rope_interleaved", "in the files of SmolLM2, and never read")
for part, alone in (("clip.text_config", "clip_text_model"), ("clip.vision_config", "clip_vision_model"),
                    ("siglip.text_config", "siglip_text_model")):
    LEGACY_OF[alone] = LEGACY_OF[part]

# Names that the reference asks a configuration for and that are its own notes, never a file's keys.
NOT_KEYS = {"_auto_class", "_from_model_config", "_heterogeneity_spec", "_is_quantized", "_original_object_hash",
            "_output_attentions", "_post_init_done"}
# Its class variables are none either, but for these two, which a file can set with an effect.
CLASS_KEYS = {"attribute_map", "model_type"}
CLASS_VARIABLES = {name for name, kind in PreTrainedConfig.__annotations__.items() if "ClassVar" in str(kind)}


class RecordingDict(dict):
    """A dict that tells which keys it was asked for."""

    def __init__(self, values, seen):
        super().__init__(values)
        self.seen = seen

    def __getitem__(self, key):
        self.seen(key)
        return super().__getitem__(key)

    def __contains__(self, key):
        self.seen(key)
        return super().__contains__(key)

    def get(self, key, default=None):
        self.seen(key)
        return super().get(key, default)

    def pop(self, key, *default):
        self.seen(key)
        return super().pop(key, *default)

    def setdefault(self, key, default=None):
        self.seen(key)
        return super().setdefault(key, default)


class Recorder:
    """Within its context, notes the keys that are asked for: `reads` maps a configuration class's
    name, or a file's name, to a set of keys."""

    def __init__(self):
        self.reads = {}

    def note(self, place, key):
        if isinstance(key, str):
            self.reads.setdefault(place, set()).add(key)

    def wrap(self, place, value):
        if isinstance(value, dict):
            return RecordingDict({key: self.wrap(f"{place}.{key}", item) for key, item in value.items()},
                                 lambda key: self.note(place, key))
        if isinstance(value, list):
            return [self.wrap(place, item) for item in value]
        return value

    def place_of(self, path):
        """The file's name, behind that of the module's folder that it lies in."""
        module = path.parent.name if path.parent.name[:1].isdigit() else ""
        return "/".join(filter(None, (module, path.name)))

    @contextlib.contextmanager
    def recording(self):
        get, load, loads = PreTrainedConfig.__getattribute__, json.load, json.loads
        read = PreTrainedConfig._dict_from_json_file.__func__

        def recording_get(config, key):
            if not key.startswith("__") and key != "attribute_map":
                self.note(type(config).__name__, key)
            return get(config, key)

        def recording_load(file, *arguments, **keywords):
            value = load(file, *arguments, **keywords)
            return self.wrap(self.place_of(pathlib.Path(getattr(file, "name", "?"))), value)

        def recording_loads(text, *arguments, **keywords):
            value = loads(text, *arguments, **keywords)
            if isinstance(value, dict) and "weight_map" in value:
                return self.wrap("model.safetensors.index.json", value)
            return value

        def recording_read(cls, path):
            return self.wrap("config.json", read(cls, path))

        PreTrainedConfig.__getattribute__ = recording_get
        PreTrainedConfig._dict_from_json_file = classmethod(recording_read)
        json.load, json.loads = recording_load, recording_loads
        try:
            yield self
        finally:
            PreTrainedConfig.__getattribute__ = get
            PreTrainedConfig._dict_from_json_file = classmethod(read)
            json.load, json.loads = load, loads


def is_settable(cls, name):
    """Whether a key of this name in the file becomes the attribute that the reference reads."""
    if name.startswith("__") or name in NOT_KEYS or name in CLASS_VARIABLES - CLASS_KEYS:
        return False
    attribute = inspect.getattr_static(cls, name, None)
    if isinstance(attribute, (classmethod, staticmethod)) or inspect.isroutine(attribute):
        return False
    return not (isinstance(attribute, property) and attribute.fset is None)


def keys_asked_of(function, variables):
    """The keys that a function's source asks the dictionaries `variables` for, or writes to them."""
    found = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Subscript):
            of, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and \
                node.func.attr in ("get", "pop") and node.args:
            of, key = node.func.value, node.args[0]
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            of, key = node.comparators[0], node.left
        else:
            continue
        if getattr(of, "id", "") in variables and isinstance(key, ast.Constant):
            found.add(key.value)
    return found


def generation_keys(is_decoder):
    """Those of generation_config.json; a decoder without that file takes all of them from config.json."""
    if not is_decoder:
        return set(GenerationConfig._get_default_generation_params())
    return {name for name in vars(GenerationConfig()) if is_settable(GenerationConfig, name)}


def config_keys(cls, recorder, table, is_decoder):
    """{key: how it is known} of a configuration class."""
    keys = {}

    def add(source, names):
        for name in sorted(names):
            if isinstance(name, str) and is_settable(cls, name):
                keys.setdefault(name, source)

    add("field", {field.name for field in dataclasses.fields(cls)})
    add("field", cls().to_dict())
    add("map", set(cls.attribute_map) | set(cls.attribute_map.values()))
    for base in cls.__mro__:
        for name in ("__post_init__", "convert_rope_params_to_dict"):
            if name in vars(base):
                add("argument", keys_asked_of(vars(base)[name], ("kwargs",)))
    add("generation", generation_keys(is_decoder))
    add("read", recorder.reads.get(cls.__name__, ()))
    add("read", ["attribute_map"])
    for name in sorted({**LEGACY, **LEGACY_OF.get(table, {})}):
        keys.setdefault(name, "legacy")
    return keys


def rope_keys():
    """Of rope_parameters, and of rope_scaling."""
    return {**dict.fromkeys(sorted(RopeParameters.__annotations__), "field"),
            # Objects for each kind of layer, inside the object.
            "full_attention": "read", "sliding_attention": "read", "type": "legacy"}


ACTIVATIONS = ("gelu_new", "relu", "silu", "quick_gelu", "gelu_pytorch_tanh", "gelu")
EPS = (0.1, 0.01)
WINDOWS = (4, 3)
# Values of keys whose default says too little; others follow from the default's kind.
VALUES = {
    "hidden_act": ACTIVATIONS,
    "pooler_act": ("relu", "gelu"),
    "layer_type": ("basic", "bottleneck", "other"),
    "output_past": "written by transformers 2 and 3",
    "position_embedding_type": ("relative_key", "relative_key_query", "absolute"),
    "_attn_implementation": ("eager", "sdpa"),
    "attn_implementation": ("eager", "sdpa"),
    "experts_implementation": ("eager", "grouped_mm"),
    "problem_type": ("regression", "multi_label_classification"),
    "dtype": ("float16", "bfloat16"),
    "torch_dtype": ("float16", "bfloat16"),
    "transformers_version": ("4.0.0", "9.0.0"),
    "architectures": (["OtherModel"], []),
    "model_type": ("xlnet", "bert", "llama"),
    "quantization_config": ({"quant_method": "gptq", "bits": 4},
                            {"quant_method": "bitsandbytes", "load_in_8bit": True}),
    "id2label": ({"0": "a", "1": "b", "2": "c"}, {"0": "x"}),
    "label2id": ({"a": 0}, {"x": 0, "y": 1}),
    "layer_types": (["sliding_attention", "full_attention"], ["full_attention", "sliding_attention"],
                    ["sliding_attention", "sliding_attention"], ["full_attention", "full_attention"],
                    ["chunked_attention", "full_attention"]),
    "auto_map": ({"AutoModel": "modeling_custom.CustomModel"},
                 {"AutoConfig": "configuration_custom.CustomConfig"}),
    "attribute_map": ({"hidden_act": "other_act"}, {"num_hidden_layers": "num_attention_heads"}, {}),
    "transformers_weights": ("other.safetensors", "adapter_model.safetensors", "model.safetensors"),
    "task_specific_params": ({"a": {"b": 1}}, {}),
    "pruned_heads": ({"0": [0]}, {"1": [1]}),
    "rope_theta": (100.0, 1e6),
    "partial_rotary_factor": (0.5, 0.25),
    "original_max_position_embeddings": (16, 64),
    "layer_norm_eps": EPS,
    "rms_norm_eps": EPS,
    "sliding_window": WINDOWS,
    "attention_chunk_size": WINDOWS,
    "max_window_layers": (0, 1),
    "no_rope_layers": ([0, 1], [1, 0], [0, 0, 1], [1, 1], [0]),
    "no_rope_layer_interval": (1, 2, 3, 0),
    "tokenizer_class": ("T5Tokenizer", "PreTrainedTokenizerFast"),
    "image_processor_type": ("CLIPImageProcessor", "ViTImageProcessor"),
    "processor_class": ("CLIPProcessor", "SiglipProcessor"),
    "stage_names": (["stem", "stage1"], ["a", "b", "c"]),
    # Of generation; what they do, generation_config.json's own goldens show.
    "temperature": (0.5, 2.0),
    "top_k": (5, 0),
    "top_p": (0.5, 0.9),
    "min_p": (0.1, 0.5),
    "typical_p": (0.5, 0.9),
    "repetition_penalty": (1.5, 3.0),
    "encoder_repetition_penalty": (1.5, 3.0),
    "min_length": (60, 200),
    "max_length": (4, 200),
    "min_new_tokens": (3, 200),
    "max_new_tokens": (2, 200),
    "no_repeat_ngram_size": (1, 2),
    "encoder_no_repeat_ngram_size": (1, 2),
    "num_beams": (3, 2),
    "num_return_sequences": (2, 3),
    "guidance_scale": (2.0, 1.5),
    "length_penalty": (0.5, 2.0),
    "exponential_decay_length_penalty": ([1, 50.0], [2, 3.0]),
    "penalty_alpha": (0.5, 0.6),
    "stop_strings": (["a", "e"], "o"),
    "max_time": (1000.0, 2000.0),
}
# Of timm.
VALUES.update({
    "architecture": ("efficientnet_lite0", "tf_efficientnet_lite1", "resnet50"),
    "act_layer": ("silu", "relu"),
    "norm_layer": ("layernorm2d", "groupnorm1"),
    "aa_layer": ("blurpc", "avg"),
    "pad_type": ("same", ""),
    "bn_eps": EPS,
    "bn_momentum": EPS,
    "interpolation": ("bilinear", "nearest"),
    "crop_mode": ("squash", "border"),
    "crop_pct": (0.5, 1.0),
    "input_size": ([3, 48, 48], [1, 64, 64], [3, 64, 48]),
    "test_input_size": ([3, 48, 48], [3, 80, 80]),
    "min_input_size": ([3, 48, 48], [3, 80, 80]),
    "global_pool": ("max", "catavgmax"),
    "output_stride": (16, 8),
    "stem_kernel_size": (5, 7),
    "in_chans": (1, 4),
    "mean": ([0.1, 0.2, 0.3], [0.5]),
    "std": ([0.1, 0.2, 0.3], [0.5]),
    "custom_load": (True, "npz"),
    "label_offset": (1, 2),
    "num_classes": (0, 5),
})
for name in ("_out_features", "out_features"):
    VALUES[name] = (["stem"], ["stage1"])
for name in ("_out_indices", "out_indices"):
    VALUES[name] = ([0], [1])
LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 16}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
ROPES = (
    {"rope_type": "linear", "factor": 4.0},
    {"type": "linear", "factor": 4.0},
    {"rope_type": "dynamic", "factor": 4.0},
    {"rope_type": "longrope", "short_factor": [2.0] * 8, "long_factor": [4.0] * 8,
     "original_max_position_embeddings": 16},
    YARN,
    *({**YARN, key: value} for key, value in (
        ("attention_factor", 2.0), ("beta_fast", 4.0), ("beta_slow", 0.5), ("truncate", False))),
    {**YARN, "mscale": 2.0, "mscale_all_dim": 0.5},
    LLAMA3,
    *({**LLAMA3, key: value} for key, value in (
        ("factor", 8.0), ("low_freq_factor", 2.0), ("high_freq_factor", 8.0), ("rope_theta", 500.0),
        ("original_max_position_embeddings", 64), ("attention_factor", 2.0))),
    {key: value for key, value in LLAMA3.items() if key != "original_max_position_embeddings"},
    {"type": "llama3", **{key: value for key, value in LLAMA3.items() if key != "rope_type"}},
    {"type": "linear", "rope_type": "default"},
    {"rope_type": "default"},
    {"rope_type": "default", "rope_theta": 77.0},
    {"rope_type": "default", "factor": 2.0},
    {"rope_type": "default", "mrope_section": [2, 3, 3]},
    {"rope_theta": 300.0},
    {"rope_type": "proportional", "rope_theta": 100.0, "partial_rotary_factor": 0.5},
    {"rope_type": "default", "rope_theta": 100.0, "partial_rotary_factor": 0.5},
    {"full_attention": {"rope_type": "linear", "factor": 4.0}},
    {"rope_type": "nonsense"},
    {},
)


def of_kind(default, key=""):
    """Other values of the kind of `default`."""
    if key.rstrip("s").endswith("file") and not default:
        # Python would take a number or a boolean for an open file, and close it.
        return ["other.json", "another.json"]
    if isinstance(default, bool):
        return [not default]
    if isinstance(default, int):
        return [default + 1, default * 2, default // 2, default - 1] if default > 0 else [1, 3]
    if isinstance(default, float):
        return [default * 10 + 0.5, default / 10 + 0.01]
    if isinstance(default, str):
        return ["other", "another"]
    if isinstance(default, (list, tuple)):
        return [list(default[::-1]), list(default[:1]) + list(default)]
    if isinstance(default, dict):
        return [{}, {"a": 1}]
    return [True, False, 2, "other"]


def other_values(key, default, defaults):
    """Values that differ from the default, and null. `defaults` are those of the other keys."""
    if key in ("rope_parameters", "rope_scaling"):
        values = ROPES
    elif key == "per_layer_config":
        eps = {name: 0.1 for name in ("layer_norm_eps", "rms_norm_eps") if name in defaults}
        values = ({"1": eps or {"hidden_act": "silu"}}, {"0": {"skip": ["attention"]}}, {})
    else:
        values = VALUES.get(key) or of_kind(default, key)
    different = [value for value in values if value != default or type(value) is not type(default)]
    return [value for i, value in enumerate(different) if value not in different[:i]] + [None]


def to_json(value):
    """A default as JSON can hold it."""
    if isinstance(value, torch.dtype):
        return str(value).split(".")[-1]
    if isinstance(value, PreTrainedConfig):
        return value.to_dict()
    if isinstance(value, tuple):
        return list(value)
    return value


def versions():
    import sentence_transformers
    import timm
    import tokenizers

    return {module.__name__: module.__version__
            for module in (sentence_transformers, timm, tokenizers, torch, transformers)}
