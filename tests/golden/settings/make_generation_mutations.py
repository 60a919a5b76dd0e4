#!/usr/bin/env python3
"""Makes generation_mutations.json: what transformers' generate() does with each key of
generation_config.json.

usage: make_generation_mutations.py        (needs torch, transformers, tokenizers)

The model is the tiny Llama of tests/golden/models/llama_tied.json with made-up weights. Each key of
GenerationConfig gets two other values or more, in a folder that answers greedily and in one that
samples; seeded random pairs of keys follow. services/decoder/load/generation_mutations_test.cc
replays all of it. The golden has

  versions          of the packages
  keys              what GenerationConfig takes, and the arguments that it refuses to hold
  config, tensors, tokenizer   the folder
  prompts           token ids
  texts             what the tokenizer makes these ids of
  max_tokens        what each call asks for, unless its folder sets a length
  outcomes          each distinct one once: "ids" of an answer, or "probs", the distribution of the
                    first token where the folder samples, as [id, probability] pairs
  cases             {"set", "file", "outcomes"}: the settings, the file they stand in, and for each
                    prompt the index of its outcome, or -1 where the reference fails
"""

import ast
import inspect
import json
import pathlib
import random
import sys
import tempfile
import textwrap
import warnings

import safetensors.torch
import tokenizers
import torch
import transformers

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "models"))
from make_goldens import fill  # noqa: E402

MAX_TOKENS = 10
PAIRS = 150
# The model comes to these tokens by itself.
EOS = [84, 77]
BASE = {"eos_token_id": EOS}
PROMPTS = [[25], [7, 8, 9, 7, 8], [10, 20, 30, 40, 10, 20, 30, 41, 10, 20],
           [32, 16, 65, 38, 3, 39, 91, 43, 38, 64, 4, 47, 11, 67, 49, 73]]
LENGTHS = {"max_length", "max_new_tokens"}
# Two or more values for each key that are not its default.
VALUES = {
    "max_length": [8, 13], "max_new_tokens": [3, 6], "min_length": [12, 25], "min_new_tokens": [3, 9],
    "early_stopping": [True, "never"], "max_time": [0.0, 1e6], "stop_strings": ["9*", ["5", "+~", "***"]],
    "do_sample": [True, False], "num_beams": [1, 2, 3], "use_mtp": [True, False],
    "use_cache": [False, True],
    "cache_implementation": ["static", "dynamic", "hybrid", "sliding_window", "quantized", "paged",
                             "no such"],
    "cache_config": [{"nbits": 4}, {"backend": "hqq"}], "max_cache_len": [64, 128],
    "temperature": [0.5, 1.7], "top_k": [3, 0, 1000], "top_p": [0.5, 0.9, 0.0],
    "min_p": [0.3, 0.6, 1.5], "top_h": [0.3, 0.7, 1.5], "typical_p": [0.4, 0.9, 0.0],
    "epsilon_cutoff": [0.01, 0.04, 0.9], "eta_cutoff": [0.2, 0.6, 0.0003],
    "repetition_penalty": [1.3, 0.7, -1.0], "encoder_repetition_penalty": [1.5, 0.6],
    "length_penalty": [2.0, 0.5], "no_repeat_ngram_size": [2, 3, 1],
    "bad_words_ids": [[[8], [35]], [[84], [10, 94], [7, 8, 36]], [[97]], []],
    "renormalize_logits": [True, False], "forced_bos_token_id": [5, 88],
    "forced_eos_token_id": [9, [84, 11]], "remove_invalid_values": [True, False],
    "exponential_decay_length_penalty": [[2, 1.5], [0, 3.0]],
    "suppress_tokens": [[35, 94, 13], [10, 83]], "begin_suppress_tokens": [[35, 36], [13, 10, 84]],
    "sequence_bias": [[[[91], 1.5]], [[[10, 94], -20.0], [[36, 36], -2.0], [[13, 13], -30.0], [[36], 0.5]],
                      [[[97], 1.0]]],
    "token_healing": [True, False], "guidance_scale": [1.5, 3.0, 1.0],
    "watermarking_config": [{"bias": 2.5, "seeding_scheme": "lefthash"}, {"greenlist_ratio": 0.5}],
    "num_return_sequences": [2, 3], "output_attentions": [True, False],
    "output_hidden_states": [True, False], "output_scores": [True, False],
    "output_logits": [True, False], "return_dict_in_generate": [True, False],
    "pad_token_id": [8, 77], "bos_token_id": [8, 1],
    "eos_token_id": [94, [24, 200], 200, []],
    "encoder_no_repeat_ngram_size": [2, 3], "decoder_start_token_id": [4, 8],
    "is_assistant": [True, False], "num_assistant_tokens": [5, 7],
    "num_assistant_tokens_schedule": ["heuristic", "heuristic_transient"],
    "assistant_confidence_threshold": [0.1, 0.9], "prompt_lookup_num_tokens": [2, 3],
    "max_matching_ngram_size": [1, 3], "assistant_early_exit": [1, 2], "assistant_lookbehind": [3, 5],
    "target_lookbehind": [3, 5], "assistant_ensemble_weight": [0.3, 0.7],
    "speculation_type": ["dflash", "other"], "compile_config": [{"fullgraph": True}, {"mode": "x"}],
    "disable_compile": [True, False], "continuous_batching_config": [{}, {"block_size": 32}],
    "low_memory": [True, False], "penalty_alpha": [0.6, 0.3], "dola_layers": ["low", [1]],
    "diversity_penalty": [0.5, 1.0], "num_beam_groups": [2, 3], "constraints": [[1], [2]],
    "force_words_ids": [[[4]], [[8]]], "prefill_chunk_size": [2, 3], "_commit_hash": ["a", "b"],
    "_from_model_config": [True, False], "transformers_version": ["4.40.0", "5.0.0"],
    "force_bos_token_to_be_generated": [True, False],
    "logits_processor": [[], [1]], "stopping_criteria": [[], [1]],
    "prefix_allowed_tokens_fn": ["f", "g"], "synced_gpus": [True, False],
    "assistant_model": ["a", "b"], "streamer": ["a", "b"], "negative_prompt_ids": [[1], [2]],
    "negative_prompt_attention_mask": [[1], [0]],
}
# Left out of the pairs, which would fail for these alone.
ALWAYS_FAIL = {"compile_config", "constraints", "force_words_ids", "dola_layers", "logits_processor",
               "stopping_criteria", "prefix_allowed_tokens_fn", "synced_gpus", "assistant_model",
               "streamer", "negative_prompt_ids", "negative_prompt_attention_mask"}
# Settings whose meaning lies in the combination.
COMBINATIONS = [
    {"do_sample": False, "temperature": 0.3, "top_p": 0.4, "top_k": 5},
    {"do_sample": True, "temperature": 0.0}, {"do_sample": True, "top_k": 4, "penalty_alpha": 0.6},
    {"penalty_alpha": 0.6, "top_k": 1}, {"min_length": 19, "min_new_tokens": 2},
    {"max_length": 8, "max_new_tokens": 5}, {"eos_token_id": None, "min_length": 12},
    {"eos_token_id": None, "bad_words_ids": [[84], [36]]},
    {"bad_words_ids": [[84]], "eos_token_id": [84]},
    {"forced_eos_token_id": 9, "max_length": 12}, {"forced_bos_token_id": 5, "begin_suppress_tokens": [35, 36]},
    {"suppress_tokens": [9, 4], "forced_eos_token_id": [9]},
    {"suppress_tokens": [9, 4], "forced_eos_token_id": [9, 12]},
    {"_from_model_config": True, "force_bos_token_to_be_generated": True, "bos_token_id": 1},
    {"remove_invalid_values": True, "bad_words_ids": [[84], [36]], "min_length": 12,
     "exponential_decay_length_penalty": [1, 2.5]},
    {"do_sample": True, "suppress_tokens": list(range(97))},
    {"do_sample": True, "suppress_tokens": list(range(1, 97)), "typical_p": 0.5, "eta_cutoff": 0.1},
    {"do_sample": True, "temperature": 0.7, "top_h": 0.9, "top_k": 40, "top_p": 0.95, "min_p": 0.05,
     "typical_p": 0.9, "epsilon_cutoff": 0.005, "eta_cutoff": 0.02, "repetition_penalty": 1.2},
]


def tokenizer_of_characters():
    """97 tokens: three special ones, then printable characters, and some pairs of them."""
    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "Ġ": 3}
    for code in range(33, 127):
        if len(vocabulary) == 94:
            break
        vocabulary[chr(code)] = len(vocabulary)
    merges = [("a", "b"), ("H", "Q"), ("Ġ", "a")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=merges))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens(["<s>", "<pad>", "</s>"])
    return json.loads(made.to_str())


def generation_keys():
    """What GenerationConfig's constructor pops or looks for, and what validate() refuses."""
    config = transformers.GenerationConfig
    sources = [inspect.getsource(config.__init__), inspect.getsource(config.validate)]
    keys = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(textwrap.dedent(source)))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) \
                and node.func.attr in ("pop", "get") and isinstance(node.func.value, ast.Name) \
                and node.func.value.id == "kwargs":
            keys.add(node.args[0].value)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "generate_arguments":
            keys.update(ast.literal_eval(node.value))
    keys.update(config().to_dict())
    return sorted(keys)


class Reference:
    """A folder whose settings change from case to case."""

    def __init__(self, golden):
        self.config = golden["config"]
        self.folder = pathlib.Path(tempfile.mkdtemp())
        weights = {name: fill(name, shape) for name, shape in golden["tensors"]}
        safetensors.torch.save_file(weights, self.folder / "model.safetensors", {"format": "pt"})
        (self.folder / "tokenizer.json").write_text(json.dumps(golden["tokenizer"]))
        (self.folder / "tokenizer_config.json").write_text(
            json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
        self.outcomes = []

    def index(self, outcome):
        if outcome not in self.outcomes:
            self.outcomes.append(outcome)
        return self.outcomes.index(outcome)

    def load(self, settings, file):
        generation = self.folder / "generation_config.json"
        generation.unlink(missing_ok=True)
        config = dict(self.config)
        if file == "config.json":
            config.update(settings)
        else:
            generation.write_text(json.dumps(settings))
        (self.folder / "config.json").write_text(json.dumps(config))
        model = transformers.AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32)
        return model, transformers.AutoTokenizer.from_pretrained(self.folder)

    def answer(self, model, tokenizer, prompt, settings):
        torch.manual_seed(0)
        ids = torch.tensor([prompt])
        options = {} if LENGTHS & settings.keys() else {"max_new_tokens": MAX_TOKENS}
        made = model.generate(ids, attention_mask=torch.ones_like(ids), tokenizer=tokenizer,
                              output_scores=True, return_dict_in_generate=True, **options)
        if settings.get("do_sample"):
            probabilities = made.scores[0][0].softmax(-1)
            kept = (made.scores[0][0] > float("-inf")).nonzero().flatten().tolist()
            return {"probs": [[i, float(f"{probabilities[i].item():.5g}")] for i in kept
                              if probabilities[i] > 0]}
        return {"ids": made.sequences[0, len(prompt):].tolist()}

    def case(self, settings, file="generation_config.json"):
        outcomes = []
        try:
            model, tokenizer = self.load(settings, file)
        except Exception as error:  # noqa: BLE001 (whatever it fails with)
            print(settings, "load:", str(error)[:90])
            return {"set": settings, "file": file, "outcomes": [-1] * len(PROMPTS)}
        for prompt in PROMPTS:
            try:
                outcomes.append(self.index(self.answer(model, tokenizer, prompt, settings)))
            except Exception as error:  # noqa: BLE001
                print(settings, len(prompt), "generate:", str(error)[:90])
                outcomes.append(-1)
        return {"set": settings, "file": file, "outcomes": outcomes}


def all_cases(reference, keys):
    missing = set(keys) ^ set(VALUES)
    if missing:
        raise SystemExit(f"VALUES and the reference's keys differ: {sorted(missing)}")
    yield reference.case(BASE)
    yield reference.case({**BASE, "do_sample": True})
    for key, values in VALUES.items():
        for value in values:
            yield reference.case({**BASE, key: value})
            if key != "do_sample":
                yield reference.case({**BASE, "do_sample": True, key: value})
    for settings in COMBINATIONS:
        yield reference.case({**BASE, **settings})
    # Without the file, config.json's keys count (here its eos_token_id); beside it they do not.
    yield reference.case({}, "config.json")
    yield reference.case({})
    for key in ("repetition_penalty", "no_repeat_ngram_size", "min_length", "bad_words_ids",
                "suppress_tokens", "num_beams", "max_length", "eos_token_id", "temperature"):
        for value in VALUES[key][:2]:
            yield reference.case({**BASE, key: value}, "config.json")
            if key not in ("eos_token_id", "max_length"):
                yield reference.case({**BASE, "do_sample": True, key: value}, "config.json")
    draw = random.Random(9)
    useful = [key for key in sorted(VALUES) if key not in ALWAYS_FAIL]
    for _ in range(PAIRS):
        pair = draw.sample(useful, 2)
        settings = {**BASE, **{key: draw.choice(VALUES[key]) for key in pair}}
        yield reference.case(settings)
        if "do_sample" not in pair:
            yield reference.case({**settings, "do_sample": True})


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    model = json.loads((HERE.parent / "models" / "llama_tied.json").read_text())
    model["config"]["eos_token_id"] = EOS[0]
    golden = {
        "versions": {"transformers": transformers.__version__, "torch": torch.__version__,
                     "tokenizers": tokenizers.__version__},
        "keys": generation_keys(), "config": model["config"], "tensors": model["tensors"],
        "tokenizer": tokenizer_of_characters(), "prompts": PROMPTS, "texts": [], "max_tokens": MAX_TOKENS,
    }
    reference = Reference(golden)
    tokenizer = transformers.AutoTokenizer.from_pretrained(reference.folder)
    golden["texts"] = [tokenizer.decode(prompt) for prompt in PROMPTS]
    assert tokenizer(golden["texts"]).input_ids == PROMPTS
    cases = list(all_cases(reference, golden["keys"]))
    golden["outcomes"] = reference.outcomes
    path = HERE / "generation_mutations.json"
    with path.open("w") as out:
        out.write("{\n")
        for name, value in golden.items():
            if name == "outcomes":
                rows = ",\n".join(json.dumps(outcome, separators=(",", ":")) for outcome in value)
                out.write(f'"outcomes": [\n{rows}\n],\n')
            else:
                out.write(f'"{name}": {json.dumps(value)},\n')
        rows = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
        out.write(f'"cases": [\n{rows}\n]\n}}\n')
    print(path.name, path.stat().st_size, len(cases), "cases", len(reference.outcomes), "outcomes")


if __name__ == "__main__":
    main()
