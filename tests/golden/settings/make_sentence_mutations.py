#!/usr/bin/env python3
"""Makes sentence_*.json beside it: what sentence-transformers answers for every key of its own files,
changed: modules.json, sentence_bert_config.json, config_sentence_transformers.json, and the
config.json of Pooling, Dense and Normalize.

usage: make_sentence_mutations.py [--keys] [NAME...]        (in the reference environment)
  --keys   print the keys of each table and how the reference knows them; write nothing

runner.py says what a golden has.
"""

import argparse
import inspect
import json
import tempfile

import mutations
from runner import (CONFIG, FROM_PRETRAINED, HERE, SERVED, TEXTS, Runner, be_quiet, print_keys, record, run_changes,
                    sentence_transformer, write, write_folder)

import transformers
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers.processing_utils import TextKwargs

MODULES = "modules.json"
TRANSFORMER = "sentence_bert_config.json"
SENTENCE = "config_sentence_transformers.json"
POOLING, DENSE, NORMALIZE = "1_Pooling/config.json", "2_Dense/config.json", "3_Normalize/config.json"
HIDDEN, PROJECTED = 32, 20
PAIRS = 150


def module(index, path, kind):
    return {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}


# Of BERT: mean, a projection, and length 1. The tokenizer lower-cases.
BERT = {
    MODULES: [module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling"), module(2, "2_Dense", "Dense"),
              module(3, "3_Normalize", "Normalize")],
    TRANSFORMER: {"max_seq_length": 30, "do_lower_case": False},
    SENTENCE: {"prompts": {"query": "Represent this: ", "document": ""}, "default_prompt_name": None,
               "similarity_fn_name": "cosine", "__version__": {"sentence_transformers": "3.0.0"}},
    POOLING: {"word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": False,
              "pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": False,
              "pooling_mode_mean_sqrt_len_tokens": False},
    DENSE: {"in_features": HIDDEN, "out_features": PROJECTED, "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh"},
    NORMALIZE: {},
}
# Of Qwen3: the last token, as it is. The tokenizer keeps capitals.
QWEN3 = {
    MODULES: [module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling")],
    TRANSFORMER: {"max_seq_length": 60, "do_lower_case": False},
    SENTENCE: {"prompts": {"query": "Instruct: find what answers\nQuery:", "document": ""},
               "default_prompt_name": None},
    POOLING: {"embedding_dimension": HIDDEN, "pooling_mode": "lasttoken", "include_prompt": True},
}

# By the golden's name: the declarations' names, and the path.
TABLES = {
    **{f"module {i}": ([MODULES, "each module"], [MODULES, i]) for i in range(4)},
    "transformer": ([TRANSFORMER, "Transformer"], [TRANSFORMER]),
    "model_kwargs": ([TRANSFORMER, "Transformer.model_kwargs"], [TRANSFORMER, "model_kwargs"]),
    "processor_kwargs": ([TRANSFORMER, "Transformer.processor_kwargs"], [TRANSFORMER, "processor_kwargs"]),
    "processing_kwargs": ([TRANSFORMER, "Transformer.processing_kwargs"], [TRANSFORMER, "processing_kwargs"]),
    "text": ([TRANSFORMER, "Transformer.processing_kwargs.text"], [TRANSFORMER, "processing_kwargs", "text"]),
    "common": ([TRANSFORMER, "Transformer.processing_kwargs.text"], [TRANSFORMER, "processing_kwargs", "common"]),
    "sentence": ([SENTENCE, "all modules"], [SENTENCE]),
    "pooling": ([CONFIG, "Pooling"], [POOLING]),
    "dense": ([CONFIG, "Dense"], [DENSE]),
    "normalize": ([CONFIG, "Normalize"], [NORMALIZE]),
}
LEGACY = {
    MODULES: {"idx": "written, never read"},
    "processor_kwargs": {"use_fast": "an argument of AutoTokenizer until transformers 5"},
    "model_kwargs": {"add_pooling_layer": "an argument of BERT's class, in the files of some models",
                     "low_cpu_mem_usage": "an argument of from_pretrained until transformers 5"},
}

TASKS = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
VALUES = {
    "type": ["sentence_transformers.models.Normalize", "sentence_transformers.models.Normalize.Normalize",
             "sentence_transformers.base.modules.Normalize", "sentence_transformers.models.LayerNorm",
             "my.Normalize", "sentence_transformers.base.modules.normalize.Normalize",
             "sentence_transformers.sentence_transformer.modules.pooling.Pooling"],
    "path": ["1_Pooling", "other", "../other", "2_Dense"],
    "name": ["1", "other"],
    "idx": [7, 0],
    "kwargs": [["task"], []],
    "max_seq_length": [5, 200, 12],
    "tokenizer_name_or_path": ["other", "."],
    "transformer_task": ["fill-mask", "text-generation", "feature-extraction"],
    "modality_config": [TASKS, {"text": {**TASKS["text"], "method_output_name": "pooler_output"}},
                        {"message": {**TASKS["text"], "format": "flat"}}, {}],
    "module_output_name": ["token_embeddings", "sentence_embedding"],
    "query_length": [4, 8],
    "document_length": [4, 8],
    "query_expansion": [{"strategy": "fixed", "length": 12}, {}],
    "unpad_inputs": [True, False],
    "backend": ["torch", "onnx"],
    "processing_kwargs": [{"text": {"max_length": 6}}, {"common": {"max_length": 7}, "text": {"max_length": 9}},
                          {"other": {}}, {}],
    "model_kwargs": [{"attn_implementation": "eager"}, {"subfolder": "other"}],
    "model_args": [{"attn_implementation": "eager"}, {"subfolder": "other"}],
    "processor_kwargs": [{"model_max_length": 9}, {"do_lower_case": False}],
    "tokenizer_args": [{"model_max_length": 9}, {"do_lower_case": False}],
    "config_kwargs": [{"hidden_act": "relu"}, {"trust_remote_code": True}, {}],
    "config_args": [{"hidden_act": "relu"}, {"trust_remote_code": True}, {}],
    "cache_dir": ["somewhere", "other"],
    "model_max_length": [9, 200],
    "max_length": [6, 200],
    "padding": ["longest", "max_length", False],
    "truncation": ["longest_first", False, "only_second"],
    "padding_side": ["left", "right"],
    "truncation_side": ["left", "right"],
    "return_tensors": ["pt", "np"],
    "stride": [1, 2],
    "pad_to_multiple_of": [8, 16],
    "prompts": [{"query": "cat: ", "x": "a "}, {}, {"query": ""}, {"query": 3}],
    "default_prompt_name": ["query", "document", "nothing"],
    "truncate_dim": [8, 4, 100],
    "similarity_fn_name": ["dot", "euclidean"],
    "model_type": ["CrossEncoder", "SparseEncoder", "SentenceTransformer"],
    "__version__": [{"sentence_transformers": "9.0.0"}, {}],
    "requirements": [{"transformers": ">=99"}, {"torch": ">=1.0"}],
    "pooling_mode": ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ["mean"],
                     ["cls", "mean"], "mean_tokens"],
    "embedding_dimension": [64, 16],
    "word_embedding_dimension": [64, 16],
    "in_features": [64, 16],
    "out_features": [64, 16],
    "activation_function": ["torch.nn.modules.linear.Identity", "torch.nn.modules.activation.ReLU",
                            "torch.nn.modules.activation.GELU", "torch.nn.modules.activation.Sigmoid", "my.Tanh"],
    "module_input_name": ["sentence_embedding", "token_embeddings"],
    "key_mapping": [{"^encoder": "other"}, {}],
    "dtype": ["float16", "float32"],
    "torch_dtype": ["float16", "float32"],
    "tokenizer_type": ["bert", "t5"],
    "model_input_names": [["input_ids"], ["input_ids", "attention_mask"]],
    "subfolder": ["other", ""],
    "variant": ["fp16", "other"],
    "attn_implementation": ["eager", "sdpa"],
    "quantization_config": [{"load_in_8bit": True}, {}],
    "device_map": ["cpu", "auto"],
    "bos_token": ["cat", "[CLS]"],
    "tokenize_chinese_chars": [False, True],
    "strip_accents": [False, True],
    "do_lower_case": [True, False],
    "extra_special_tokens": [{"a": "cat"}, ["cat"]],
    "special_tokens_pattern": ["cls_sep", "bos_eos"],
}


def parameters(*functions):
    """The names of the functions' parameters that a file's keys can be."""
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {name for function in functions for name, kind in inspect.signature(function).parameters.items()
            if name not in ("self", "cls") and kind.kind not in variable}


def arguments_of(*functions):
    """Their parameters, and what they take out of further keyword arguments."""
    plain = [inspect.unwrap(getattr(function, "__func__", function)) for function in functions]
    return parameters(*plain).union(*(mutations.keys_asked_of(function, ("kwargs",)) for function in plain))


def arguments_of_tokenizers():
    base = transformers.PreTrainedTokenizerBase
    return arguments_of(
        base.from_pretrained, base._from_pretrained, transformers.AutoTokenizer.from_pretrained, base.__init__,
        transformers.TokenizersBackend.__init__, transformers.BertTokenizer.__init__,
        transformers.Qwen2Tokenizer.__init__) | set(base.SPECIAL_TOKENS_ATTRIBUTES)


def arguments_of_models():
    return arguments_of(FROM_PRETRAINED, transformers.AutoModel.from_pretrained) | \
        {"attn_implementation", "experts_implementation"}


def keys_of(tables, recorder):
    """{table: {key: how it is known}}"""
    arguments = {
        "transformer": parameters(inspect.unwrap(Transformer.__init__)) | {"model_args", "tokenizer_args", "config_args",
                                                                       "cache_dir"},
        "model_kwargs": arguments_of_models(),
        "processor_kwargs": arguments_of_tokenizers(),
        "processing_kwargs": set(Transformer._VALID_PROCESSING_KWARGS_KEYS),
        "text": set(TextKwargs.__annotations__), "common": set(TextKwargs.__annotations__),
        "pooling": parameters(inspect.unwrap(Pooling.__init__)) | set(Pooling.config_key_renames),
        "dense": parameters(Dense.__init__), "normalize": parameters(Normalize.__init__),
    }
    # Named by the class's signature, but never a key of the file.
    arguments["transformer"] -= {"model_name_or_path"}
    arguments["model_kwargs"] -= {"pretrained_model_name_or_path", "config"}
    arguments["processor_kwargs"] -= {"pretrained_model_name_or_path"}
    arguments["dense"] -= {"init_weight", "init_bias"}
    known = {}
    for table in tables:
        path = TABLES[table][1]
        place = path[0] if table.startswith("module ") else ".".join(map(str, path))
        keys = dict.fromkeys(sorted(arguments.get(table, ())), "argument")
        for name in sorted(recorder.reads.get(place, ())):
            keys.setdefault(name, "read")
        keys.update({name: "legacy" for name in LEGACY.get(path[0] if path[0] == MODULES else table, ())
                     if name not in keys})
        known[table] = keys
    return known


def values_of(golden, contents, known):
    """Yields table, key and another value."""
    objects = [path for _, path in TABLES.values()]
    for table, keys in known.items():
        path = golden["paths"][table]
        written = contents[path[0]]
        for part in path[1:]:
            written = written[part] if isinstance(written, list) else written.get(part, {})
        for key in keys:
            values = VALUES.get(key) or mutations.of_kind(written.get(key), key)
            for value in [*values, None]:
                if key not in written or value != written[key]:
                    yield table, key, value


def make(name, own, served, module_tensors, only_keys):
    source = json.loads((SERVED / f"{served}.json").read_text())
    taken = ["tokenizer.json", "tokenizer_config.json"]
    files = {**own, CONFIG: source["config"]}
    contents = {**{file: source["files"][file] for file in taken}, **files}
    tables = {table: names for table, (names, path) in TABLES.items()
              if path[0] in own and (path[0] != MODULES or path[1] < len(own[MODULES]))}
    golden = {"versions": mutations.versions(), "served": served, "taken": taken, "files": files,
              "tensors": {"model.safetensors": source["tensors"], **module_tensors},
              "texts": TEXTS, "prompted": TEXTS[:2], "tables": tables,
              "paths": {table: TABLES[table][1] for table in tables}}
    with tempfile.TemporaryDirectory() as folder:
        write_folder(folder, contents, golden["tensors"])
        recorder, _ = record(folder, contents, sentence_transformer)
        golden["known"] = keys_of(tables, recorder)
        if only_keys:
            print_keys(golden["known"])
            return
        runner = Runner(folder, contents, sentence_transformer)
        run_changes(golden, runner, values_of(golden, contents, golden["known"]), PAIRS)
    write(HERE / f"sentence_{name}.json", golden)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    be_quiet()
    dense = {"2_Dense/model.safetensors": [["linear.weight", [PROJECTED, HIDDEN]], ["linear.bias", [PROJECTED]]]}
    for name, own, served, tensors in (("bert", BERT, "bge", dense), ("qwen3", QWEN3, "qwen3", {})):
        if not arguments.names or name in arguments.names:
            make(name, own, served, tensors, arguments.keys)


if __name__ == "__main__":
    main()
