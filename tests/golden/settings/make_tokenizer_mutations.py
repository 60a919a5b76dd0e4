#!/usr/bin/env python3
"""Makes the golden of changed tokenizer files: what transformers makes of a folder when one key has another value.

usage: make_tokenizer_mutations.py

For a small tokenizer of each family, each key of its files gets other values, one at a time, then two at a time by
chance. The keys are the arguments of the tokenizer classes, what their code reads, the fields of added tokens, the keys
of each type of section of tokenizer.json, and those of published folders. Written beside this script, with the versions
of the libraries: tokenizer_mutations.json
  texts, id_lists   inputs
  ids, decoded, facts   distinct id lists and texts, and lengths, sides and special tokens
  results           distinct results: for each text a place in ids; the same without the template; for each id list a place in
                    decoded, with and without special tokens; a place in facts
  changes           distinct changes [file, path, value]; the value "absent" takes the key away
  families          by name: the files; changes [place in changes, result]; pairs [place, place, result], with places in the
                    family's changes. A result of -1 is an exception in transformers
  keys              by table of the declarations, its keys
"""

import copy
import inspect
import json
import os
import pathlib
import random
import re
import shutil
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers
import transformers
from transformers import AutoTokenizer
from transformers.models.auto import tokenization_auto
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.tokenization_utils_sentencepiece import SentencePieceBackend
from transformers.tokenization_utils_tokenizers import TokenizersBackend

HERE = pathlib.Path(__file__).parent
TOKENIZERS = HERE.parent / "tokenizer"
TEXTS = ["Hello wörld! It's 12 o'clock.", " <s>two  spaces</s>[SEP] [MASK]x  image", "日本語 Ünïcode naïve ÀB\u0000\u200b",
         "<|endoftext|> a\tb\n<|im_start|>the world<|endoftext|>", "do not stop , 's it ' s . <pad>THE", ""]
ID_LISTS = [[5, 40, 3, 100, 101, 99, 2, 1, 0, 60, 61], [1, 1, 280, 280, 300, 3, 4]]
ABSENT = "absent"

# What published folders have beside what the code of today reads.
PUBLISHED = {
    "add_bos_token", "add_eos_token", "added_tokens_file", "backend", "clean_text", "do_basic_tokenize", "do_lower_case", "errors",
    "files_loaded", "keep_accents", "legacy", "max_length", "merges_file", "never_split", "pad_to_multiple_of", "padding",
    "pad_token_type_id", "processor_class", "_processor_class", "_commit_hash", "response_schema", "sp_model_kwargs",
    "spaces_between_special_tokens", "special_tokens_map_file", "spm_file", "strip_accents", "stride", "tokenize_chinese_chars",
    "tokenizer_config_file", "trim_offsets", "truncation", "truncation_strategy", "use_default_system_prompt", "use_fast", "verbose",
    "vocab_file", "wordpieces_prefix", "add_prefix_space", "tokenizer_file", "name_or_path", "chat_template", "is_local",
    "local_files_only",
}
# Read from arguments of Python only, or internal to a call.
NOT_OF_FILES = {"_from_auto", "_from_pipeline", "code_revision", "config", "mistral_format", "proxies", "revision", "subfolder", "token",
                "tokenizer_type", "cache_dir", "force_download", "args_name", "key", "tokenizer", "sanitize_control_tokens",
                "_is_local", "chat_template_file", "vocab_scores"}

BOTH = [True, False]
VALUES = {
    "padding_side": ["left", "right"], "truncation_side": ["left", "right"], "model_max_length": [7, 1e30, 12.0], "max_len": [9, 11],
    "tokenizer_class": ["PreTrainedTokenizerFast", "BertTokenizer", "LlamaTokenizerFast", "GPT2Tokenizer", "OwnTokenizer", "MPNetTokenizer"],
    "model_input_names": [["input_ids"], ["input_ids", "token_type_ids"]],
    "additional_special_tokens": [["world", "Hello"], ["the", {"__type": "AddedToken", "content": "it", "lstrip": True, "rstrip": False,
                                                               "normalized": True, "single_word": False, "special": False}]],
    "extra_special_tokens": [["world", " a"], {"image_token": "image", "own_token": "the"}],
    "model_specific_special_tokens": [{"image_token": "image"}, {"pad_token": "two"}],
    "added_tokens_decoder": [{}, {"0": {"content": "world", "special": True}, "7": {"content": "tw", "normalized": True, "lstrip": True}},
                             {"900": {"content": "<s>", "special": True, "rstrip": True}, "90": {"content": "image", "special": False}}],
    "auto_map": [{"AutoTokenizer": ["own.OwnTokenizer", None]}, {}],
    "init_inputs": [[], [3]], "fast_tokenizer_files": [[], ["tokenizer.4.json"]], "chat_template": ["{{ messages }}", [{"name": "default", "template": "x"}]],
    "chat_control_tokens": [["<s>"], []], "sp_model_kwargs": [{}, {"enable_sampling": True}], "vocab": [{"a": 0}, []], "merges": [[], ["a b"]],
    "unk_id": [1, 0], "tokenizer_truncation": [{"max_length": 4, "direction": "left", "stride": 0, "strategy": "longest_first"}, {}],
    "tokenizer_padding": [{"pad_token": "world", "direction": "left", "length": 3, "pad_type_id": 0, "pad_to_multiple_of": None, "pad_id": 0}, {}],
    "_json_truncation": [{"max_length": 4, "direction": "left", "stride": 0, "strategy": "longest_first"}, {}],
    "_json_padding": [{"pad_token": "world", "direction": "left", "length": 3, "pad_type_id": 0, "pad_to_multiple_of": None, "pad_id": 0}, {}],
    "behavior": ["Removed", "MergedWithPrevious", "Contiguous", "Isolated"], "prepend_scheme": ["first", "never", "always"],
    "direction": ["Left", "Right"], "strategy": ["OnlyFirst", "BatchLongest"], "version": ["1.0", "2.0"],
    "pattern": [{"String": "l"}, {"Regex": "[a-i]+"}], "replacement": ["_", "▁"], "content": ["o", "Hello"], "prepend": ["_", "x"],
    "unk_token": ["world", {"__type": "AddedToken", "content": "the", "lstrip": True, "rstrip": True, "normalized": True,
                            "single_word": True, "special": True}, None],
    "max_input_chars_per_word": [3, 200], "id": [5, 1000], "start": [2, 0], "stop": [1, 2], "suffix": ["o", "</w>"],
    "pad_token_type_id": [1, 2], "strip_accents": BOTH, "cleanup": BOTH, "prefix": ["o", "_"], "dropout": [0.0, 1.0],
    "backend": ["tokenizers", "sentencepiece"], "errors": ["strict", "ignore"],
}
for token in PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES:
    VALUES.setdefault(token, VALUES["unk_token"])


def family(base, model_type, tokenizer_class, generates=False, **config):
    files = {"config.json": {"model_type": model_type}, "tokenizer_config.json": {"tokenizer_class": tokenizer_class, **config}}
    return {"base": base, "files": files, "generates": generates}


FAMILIES = {
    "bert": family("tokenizer.json", "bert", "BertTokenizer", do_lower_case=True, model_max_length=32),
    "bert_backend": family("tokenizer.json", "bert", "PreTrainedTokenizerFast"),
    "xlm_roberta": family("unigram.json", "bert", "XLMRobertaTokenizer", unk_token="<unk>"),
    "clip": family("clip.json", "clip", "CLIPTokenizer", bos_token="<|startoftext|>", pad_token="<|endoftext|>"),
    "siglip": family("unigram.json", "siglip", "TokenizersBackend", pad_token="</s>", model_input_names=["input_ids"]),
    "siglip2": family("sentencepiece_bpe.json", "siglip", "Siglip2Tokenizer", padding_side="right", bos_token="<s>", eos_token="</s>"),
    "gemma": family("sentencepiece_bpe.json", "siglip", "GemmaTokenizer", padding_side="right", mask_token="</s>", pad_token="<unk>"),
    "qwen2": family("bpe.json", "qwen2", "Qwen2Tokenizer", True, eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"]),
    "qwen3": family("bpe.json", "qwen3", "PreTrainedTokenizerFast", pad_token="<|endoftext|>", add_prefix_space=False),
    "llama3": family("bpe.json", "llama", "PreTrainedTokenizerFast", True, bos_token="<|im_start|>", clean_up_tokenization_spaces=True),
    "llama2": family("sentencepiece_bpe.json", "llama", "LlamaTokenizer", True, legacy=False, add_bos_token=True, bos_token="<s>"),
    "smollm": family("bpe.json", "llama", "GPT2Tokenizer", True, add_prefix_space=False),
    "mistral": family("sentencepiece_bpe.json", "mistral", "LlamaTokenizer", True, bos_token="<s>"),
}
# Of files["spiece.model"] the name of the golden vocabulary stands there.
SIGLIP = family("unigram.json", "siglip", "SiglipTokenizer", do_lower_case=True, model_input_names=["input_ids"], sp_model_kwargs={})
SIGLIP["files"]["spiece.model"] = "siglip.model"
CLASSES = ["BertTokenizer", "CLIPTokenizer", "GemmaTokenizer", "GPT2Tokenizer", "LlamaTokenizer", "Qwen2Tokenizer", "SiglipTokenizer",
           "Siglip2Tokenizer", "XLMRobertaTokenizer"]


def read_by(*functions):
    """Names that functions take out of their keyword arguments."""
    found = set()
    for function in functions:
        source = inspect.getsource(function)
        found |= set(re.findall(r'(?:kwargs|tokenizer_config)\.(?:pop|get|setdefault)\(\s*"(\w+)"', source))
        found |= set(re.findall(r'"(\w+)" (?:not )?in (?:local_|init_)?(?:kwargs|tokenizer_config)\b', source))
        found |= set(re.findall(r'(?:kwargs|tokenizer_config)\["(\w+)"\]', source))
    return found


def config_keys():
    """The keys of tokenizer_config.json that transformers reads, by class."""
    common = read_by(PreTrainedTokenizerBase.__init__, PreTrainedTokenizerBase.from_pretrained, PreTrainedTokenizerBase._from_pretrained,
                     TokenizersBackend.__init__, TokenizersBackend.convert_to_native_format,
                     tokenization_auto.AutoTokenizer.from_pretrained, tokenization_auto.AutoTokenizer.__init__)
    common |= set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES) | PUBLISHED | {"trust_remote_code", "_spm_precompiled_charsmap"}
    common -= NOT_OF_FILES
    keys = {"TokenizersBackend": common}
    for name in CLASSES:
        made = getattr(transformers, name)
        arguments = set(inspect.signature(made.__init__).parameters) - {"self", "kwargs"}
        if issubclass(made, SentencePieceBackend):
            arguments |= read_by(SentencePieceBackend.__init__)
        keys[name] = common | (arguments - NOT_OF_FILES)
    return keys


def section_examples():
    """A section of each type of tokenizer.json, by its part and type."""
    n, p, d, s = tokenizers.normalizers, tokenizers.pre_tokenizers, tokenizers.decoders, tokenizers.processors
    made = {
        "normalizer": [n.BertNormalizer(), n.ByteLevel(), n.Lowercase(), n.NFC(), n.NFD(), n.NFKC(), n.NFKD(), n.Nmt(), n.Prepend("x"),
                       n.Replace("e", "a"), n.Sequence([n.Lowercase(), n.Strip()]), n.Strip(), n.StripAccents()],
        "pre_tokenizer": [p.BertPreTokenizer(), p.ByteLevel(), p.Digits(), p.Metaspace(), p.Punctuation(),
                          p.Sequence([p.WhitespaceSplit(), p.Digits()]), p.Split("e", "isolated"), p.Whitespace(), p.WhitespaceSplit()],
        "post_processor": [s.BertProcessing(("[SEP]", 3), ("[CLS]", 2)), s.ByteLevel(), s.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2)),
                           s.Sequence([s.ByteLevel()]),
                           s.TemplateProcessing(single="[CLS] $A", pair="$A $B", special_tokens=[("[CLS]", 2)])],
        "decoder": [d.BPEDecoder(), d.ByteFallback(), d.ByteLevel(), d.CTC(pad_token="a", word_delimiter_token="o"), d.Fuse(), d.Metaspace(),
                    d.Replace("e", "a"), d.Sequence([d.Replace("e", "a"), d.Strip("a", 1, 1), d.Fuse(), d.Strip("a", 1, 1)]), d.Strip("a", 1, 0), d.WordPiece()],
    }
    slots = {"normalizer": "normalizer", "pre_tokenizer": "pre_tokenizer", "post_processor": "post_processor", "decoder": "decoder"}
    found = {}
    for part, objects in made.items():
        for example in objects:
            holder = tokenizers.Tokenizer(tokenizers.models.BPE())
            setattr(holder, slots[part], example)
            section = json.loads(holder.to_str())[part]
            found[f"{part}.{section['type']}"] = section
    unigram = json.loads((TOKENIZERS / "unigram.json").read_text(encoding="utf-8"))
    found["normalizer.Precompiled"] = unigram["normalizer"]
    return found


def is_leaf(value):
    return not isinstance(value, (dict, list))


def values_for(key, current):
    """Two other values at least of a key; `current` may be ABSENT."""
    values = VALUES.get(key)
    if values is None:
        if isinstance(current, bool) or current in (None, ABSENT):
            values = [True, False]
        elif isinstance(current, (int, float)):
            values = [current + 1, 0]
        elif isinstance(current, str):
            values = ["world", ""]
        else:
            values = [None, []]
    return [value for value in values if value != current or type(value) is not type(current)]


def write(folder, files):
    for name, content in files.items():
        if name == "spiece.model":
            shutil.copyfile(TOKENIZERS / content, folder / name)
            continue
        (folder / name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


class Runner:
    def __init__(self):
        self.pools = {name: [] for name in ("changes", "results", "ids", "decoded", "facts")}
        self.places = {}

    def place(self, pool, value):
        """Where a value stands in a pool."""
        key = (pool, json.dumps(value, sort_keys=True))
        if key not in self.places:
            self.places[key] = len(self.pools[pool])
            self.pools[pool].append(value)
        return self.places[key]

    def run(self, files, generates):
        folder = pathlib.Path(tempfile.mkdtemp())
        try:
            write(folder, files)
            return self.place("results", self.outcome(AutoTokenizer.from_pretrained(str(folder)), generates))
        except BaseException as error:  # panics of the library, too
            if isinstance(error, KeyboardInterrupt):
                raise
            return -1
        finally:
            shutil.rmtree(folder)

    def outcome(self, made, generates):
        def places(pool, values):
            return [self.place(pool, value) for value in values]
        ids = [made(text)["input_ids"] for text in TEXTS]
        bare = [made(text, add_special_tokens=False)["input_ids"] for text in TEXTS]
        length = made.model_max_length
        facts = {"length": None if length > 1e15 else length, "sides": [made.padding_side, made.truncation_side],
                 "special": made.special_tokens_map, "extra": [str(token) for token in made.extra_special_tokens],
                 "inputs": made.model_input_names}
        result = [places("ids", ids), places("ids", bare), [], [], self.place("facts", facts)]
        if generates:
            lists = ids + ID_LISTS
            result[2] = places("decoded", [made.decode(one) for one in lists])
            result[3] = places("decoded", [made.decode(one, skip_special_tokens=True) for one in lists])
        return result


def change(files, file, path, value):
    """The files with another value at a path; ABSENT takes the key away."""
    changed = {name: content for name, content in files.items()}
    content = changed[file] = copy.deepcopy(files.get(file, {}))
    for step in path[:-1]:
        content = content[step]
    if value == ABSENT:
        content.pop(path[-1], None)
    else:
        content[path[-1]] = value
    return changed


def changes_of(files, keys):
    """Changes of a family's files."""
    found = []
    config = files["tokenizer_config.json"]
    for key in sorted(keys):
        for value in values_for(key, config.get(key, ABSENT)):
            found.append(["tokenizer_config.json", [key], value])
        if key in config:
            found.append(["tokenizer_config.json", [key], ABSENT])
    found.append(["tokenizer_config.json", ["image_token"], "image"])
    found.append(["tokenizer_config.json", ["unknown_key"], 3])
    for value in ("BertTokenizer", "PreTrainedTokenizerFast", "LlamaTokenizer", "Qwen2TokenizerFast"):
        found.append(["config.json", ["tokenizer_class"], value])
    for key in [*PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES, "additional_special_tokens", "extra_special_tokens", "image_token"]:
        for value in ["image", {"content": "the", "lstrip": True, "rstrip": False, "normalized": True, "single_word": False}] if key.endswith(
                "_token") else [["world", "the"], ["Hello"]]:
            found.append(["special_tokens_map.json", [key], value])
    for key in ("add_bos_token", "add_eos_token", "do_lower_case"):
        found += [["special_tokens_map.json", [key], value] for value in BOTH]
    for content, first in (("world", 950), ("<s>", 900), ("HELLO", 20)):
        found.append(["added_tokens.json", [content], first])
    document = files["tokenizer.json"]
    for i, token in enumerate(document["added_tokens"][:2]):
        for field in token:
            for value in values_for(field, token[field]):
                found.append(["tokenizer.json", ["added_tokens", i, field], value])
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder", "truncation", "padding"):
        found.append(["tokenizer.json", [part], None])
    for key in ("version", "unknown_key"):
        found += [["tokenizer.json", [key], value] for value in values_for(key, document.get(key))]
    model = document["model"]
    for key in model:
        if key in ("vocab", "merges", "type"):
            continue
        values = ["the", "[UNK]", None] if key == "unk_token" else values_for(key, model[key])
        if key == "continuing_subword_prefix":
            values = ["", None, "x"]
        found += [["tokenizer.json", ["model", key], value] for value in values]
    found.append(["tokenizer.json", ["truncation"], {"direction": "Left", "max_length": 5, "strategy": "LongestFirst", "stride": 0}])
    found.append(["tokenizer.json", ["truncation"], {"direction": "Right", "max_length": 5, "strategy": "OnlyFirst", "stride": 1}])
    for pad in ("world", "[PAD]"):
        found.append(["tokenizer.json", ["padding"], {"strategy": {"Fixed": 9}, "direction": "Left", "pad_to_multiple_of": 4, "pad_id": 0,
                                                      "pad_type_id": 1, "pad_token": pad}])
    return found


def sections_family(examples):
    """A folder that tokenizer.json alone decides, and a change for each key of each type of section in it."""
    files = {"config.json": {"model_type": "llama"},
             "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"}}
    found = []
    for kind, section in examples.items():
        part = kind.split(".")[0]
        found.append(["tokenizer.json", [part], section])
        for key, current in section.items():
            if key in ("type", "normalizers", "pretokenizers", "processors", "decoders", "precompiled_charsmap", "special_tokens", "single", "pair",
                       "cls", "sep"):
                continue
            for value in values_for(key, current):
                if key == "content" and kind == "decoder.Strip":
                    value = value[0]
                found.append(["tokenizer.json", [part], {**section, key: value}])
        found.append(["tokenizer.json", [part], {**section, "unknown_key": 1}])
    found.append(["tokenizer.json", ["pre_tokenizer"], {"type": "Metaspace", "replacement": "▁", "add_prefix_space": False, "str_rep": "▁"}])
    found.append(["tokenizer.json", ["pre_tokenizer"], {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True, "str_rep": "x"}])
    found.append(["tokenizer.json", ["decoder"], {"type": "Metaspace", "replacement": "▁", "add_prefix_space": False, "prepend_scheme": "never"}])
    return {"base": "tokenizer.json", "files": files, "generates": True}, found


def declared_keys(examples):
    keys = {f"tokenizer_config.json {name}": sorted(found) for name, found in config_keys().items()}
    keys["tokenizer_config.json any class"] = keys["tokenizer_config.json TokenizersBackend"]
    named = [*PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES, "additional_special_tokens", "extra_special_tokens",
             "model_specific_special_tokens"]
    keys["special_tokens_map.json tokens"] = sorted(named)
    keys["special_tokens_map.json any class"] = sorted([*named, "add_bos_token", "add_eos_token"])
    token = tokenizers.AddedToken("x").__getstate__()
    keys["tokenizer.json added_tokens"] = sorted([*token, "id"])
    whole = json.loads((TOKENIZERS / "tokenizer.json").read_text(encoding="utf-8"))
    keys["tokenizer.json root"] = sorted(whole)
    keys["tokenizer.json padding"] = sorted(whole["padding"])
    holder = tokenizers.Tokenizer(tokenizers.models.BPE())
    holder.enable_truncation(3)
    keys["tokenizer.json truncation"] = sorted(json.loads(holder.to_str())["truncation"])
    for kind, section in examples.items():
        older = ["add_prefix_space", "str_rep"] if kind.endswith(".Metaspace") else []
        keys[f"tokenizer.json {kind}"] = sorted([*section, *older])
    for model in (tokenizers.models.BPE(), tokenizers.models.Unigram(), tokenizers.models.WordPiece()):
        section = json.loads(tokenizers.Tokenizer(model).to_str())["model"]
        keys[f"tokenizer.json model.{section['type']}"] = sorted(section)
    return keys


def main():
    runner, examples, keys = Runner(), section_examples(), config_keys()
    chance = random.Random(9)
    families = {}
    todo = {}
    for name, described in FAMILIES.items():
        files = dict(described["files"])
        files["tokenizer.json"] = json.loads((TOKENIZERS / described["base"]).read_text(encoding="utf-8"))
        declared = files["tokenizer_config.json"]["tokenizer_class"]
        todo[name] = (described, files, changes_of(files, keys.get(declared, keys["TokenizersBackend"])))
    described, found = sections_family(examples)
    files = dict(described["files"])
    files["tokenizer.json"] = json.loads((TOKENIZERS / described["base"]).read_text(encoding="utf-8"))
    todo["sections"] = (described, files, found)
    files = {**SIGLIP["files"], "tokenizer.json": json.loads((TOKENIZERS / SIGLIP["base"]).read_text(encoding="utf-8"))}
    todo["siglip_pieces"] = (SIGLIP, files, changes_of(files, keys["SiglipTokenizer"]))
    for name, (described, files, found) in todo.items():
        generates = described["generates"]
        baseline = runner.run(files, generates)
        assert baseline >= 0, name
        changes = [[runner.place("changes", one), runner.run(change(files, *one), generates)] for one in found]
        pairs = []
        while len(pairs) < 60:
            a, b = sorted(chance.sample(range(len(found)), 2))
            try:
                both = change(change(files, *found[a]), *found[b])
            except (TypeError, KeyError, IndexError):
                continue
            pairs.append([a, b, runner.run(both, generates)])
        families[name] = {**described, "baseline": baseline, "changes": changes, "pairs": pairs}
        print(name, len(changes), sum(1 for one in changes if one[1] < 0), len(runner.pools["results"]), flush=True)
    golden = {"versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}, "texts": TEXTS,
              "id_lists": ID_LISTS, "keys": declared_keys(examples), "families": families, **runner.pools}
    (HERE / "tokenizer_mutations.json").write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
