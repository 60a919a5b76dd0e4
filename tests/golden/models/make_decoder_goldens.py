#!/usr/bin/env python3
"""Makes the goldens of language models beside it: logits and greedy continuations by transformers.

usage: make_decoder_goldens.py [NAME...]        (in the reference environment)

A golden has a config.json, the tensors' names and shapes, whose values are made up
(make_goldens.fill), some prompts, the logits of each one's last token and the tokens that follow it
greedily. The first prompt may be longer than all windows and than 1,000 tokens.
"""

import copy
import sys

import torch
import transformers

from make_goldens import hash32, load, rounded, write

# Tokens that follow a prompt.
CONTINUATION = 32
# The two largest logits differ by more, so that rounding does not choose another token.
LEAST_GAP = 2e-4
# Prompts that end before, at and behind the ends of KV blocks of 16 tokens.
LENGTHS = [1, 15, 16, 17, 50]
LONG = 1100

KEYS = ("model_type vocab_size hidden_size num_hidden_layers num_attention_heads num_key_value_heads head_dim "
        "intermediate_size max_position_embeddings original_max_position_embeddings rms_norm_eps hidden_act "
        "attention_bias mlp_bias tie_word_embeddings rope_parameters rope_theta rope_scaling sliding_window "
        "use_sliding_window max_window_layers layer_types no_rope_layers no_rope_layer_interval eos_token_id").split()


def old_spelling(config):
    """As files had it before rope_parameters; the reference must read the same from it."""
    parameters = dict(config.pop("rope_parameters"))
    config["rope_theta"] = parameters.pop("rope_theta")
    parameters["type"] = parameters.pop("rope_type")
    config["rope_scaling"] = parameters


def continue_greedily(model, ids):
    """The logits of the last token of `ids`, and the tokens that follow."""
    first, tokens = None, []
    for _ in range(CONTINUATION):
        row = model(torch.tensor([ids + tokens]), use_cache=False).logits[0, -1]
        first = row if first is None else first
        top = row.topk(2)
        gap = float(top.values[0] - top.values[1])
        assert gap > LEAST_GAP, f"a near-tie of {gap} behind {len(ids) + len(tokens)} tokens"
        tokens.append(int(top.indices[0]))
    return rounded(first), tokens


def decoder(name, model_class, lengths=LENGTHS, old=False, drop=(), seed=2000, **options):
    """`drop`: keys that the file lacks, so that their defaults count."""
    model = model_class(model_class.config_class(**options)).eval()
    # The mask of windows does not depend on the kernel; this one computes it as it is written.
    model.set_attn_implementation("eager")
    config = model.config
    table = "model.embed_tokens.weight"
    tied = config.tie_word_embeddings
    tensors = load(model, lambda n: table if tied and n == "lm_head.weight" else n)
    tensors = [entry for i, entry in enumerate(tensors) if entry not in tensors[:i]]
    saved = {key: value for key, value in config.to_dict().items()
             if key in KEYS and value is not None and key not in drop}
    if old:
        old_spelling(saved)
        read = model_class.config_class(**copy.deepcopy(saved))
        assert read.rope_parameters.items() >= config.rope_parameters.items(), read.rope_parameters
    prompts, logits, continuations = [], [], []
    for i, length in enumerate(lengths):
        ids = (hash32(seed + i, length) % config.vocab_size).tolist()
        row, tokens = continue_greedily(model, ids)
        prompts.append(ids)
        logits.append(row)
        continuations.append(tokens)
    write(name, {"config": saved, "tensors": tensors, "prompts": prompts, "logits": logits,
                 "continuations": continuations})


SMALL = dict(vocab_size=97, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=88, max_position_embeddings=256)
LLAMA3 = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
C = transformers

GOLDENS = {
    "llama_tied": lambda name: decoder(
        name, C.LlamaForCausalLM, **{**SMALL, "tie_word_embeddings": True, "head_dim": 16, "rms_norm_eps": 1e-5}),
    # A head size that is not the hidden size over the heads, one head of keys for all, biases everywhere, and
    # frequencies on both sides of what Llama 3.1 scales and between.
    "llama3_scaled": lambda name: decoder(
        name, C.LlamaForCausalLM, **{**SMALL, "tie_word_embeddings": False, "head_dim": 32, "attention_bias": True,
                                     "mlp_bias": True, "eos_token_id": [3, 5], "num_key_value_heads": 1,
                                     "rope_parameters": LLAMA3}),
    # Three heads, as many of keys, in the old spelling.
    "llama_linear": lambda name: decoder(
        name, C.LlamaForCausalLM, old=True, **{
            **SMALL, "hidden_size": 48, "num_attention_heads": 3, "num_key_value_heads": 3,
            "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}}),
    "llama_dynamic": lambda name: decoder(
        name, C.LlamaForCausalLM, **{**SMALL, "max_position_embeddings": 96, "rope_parameters": {
            "rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}}),
    # Positions behind the context of the first training.
    "llama_yarn": lambda name: decoder(
        name, C.LlamaForCausalLM, lengths=[LONG, *LENGTHS], old=True, **{
            **SMALL, "max_position_embeddings": 2048, "rope_parameters": {
                "rope_type": "yarn", "rope_theta": 1000.0, "factor": 8.0, "original_max_position_embeddings": 256,
                "beta_fast": 16.0, "beta_slow": 1.0}}),
    "llama_longrope": lambda name: decoder(
        name, C.LlamaForCausalLM, **{
            **SMALL, "max_position_embeddings": 512, "rope_parameters": {
                "rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": 96,
                "short_factor": [1.0, 1.05, 1.1, 1.2, 1.4, 1.8, 2.0, 2.5], "long_factor": [4.0] * 8}}),
    # As SmolLM2's: three heads for one of keys, tied.
    "smollm2": lambda name: decoder(
        name, C.LlamaForCausalLM, **{
            **SMALL, "hidden_size": 48, "num_attention_heads": 3, "num_key_value_heads": 1, "tie_word_embeddings": True,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0}}),
    "mistral": lambda name: decoder(name, C.MistralForCausalLM, **SMALL, sliding_window=None),
    # Five heads for one of keys, of another size than the hidden size over the heads; a window that ends inside of
    # blocks, and prompts longer than it.
    "mistral_window": lambda name: decoder(
        name, C.MistralForCausalLM, lengths=[LONG, *LENGTHS], **{
            **SMALL, "num_attention_heads": 5, "num_key_value_heads": 1, "head_dim": 16,
            "max_position_embeddings": 2048, "sliding_window": 21}),
    "qwen2": lambda name: decoder(
        name, C.Qwen2ForCausalLM, **{**SMALL, "num_key_value_heads": 4, "tie_word_embeddings": True}),
    # The last two of its layers have windows.
    "qwen2_window": lambda name: decoder(
        name, C.Qwen2ForCausalLM, drop=("layer_types",), seed=2100, **{
            **SMALL, "use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}),
    "qwen3_window": lambda name: decoder(
        name, C.Qwen3ForCausalLM, lengths=[LONG, *LENGTHS], **{
            **SMALL, "head_dim": 32, "max_position_embeddings": 2048, "use_sliding_window": True, "sliding_window": 30,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}),
    "qwen3_biased": lambda name: decoder(
        name, C.Qwen3ForCausalLM, **{**SMALL, "num_attention_heads": 5, "num_key_value_heads": 5, "head_dim": 16,
                                     "attention_bias": True, "tie_word_embeddings": True}),
    # The fourth layer does not turn by positions.
    "smollm3": lambda name: decoder(
        name, C.SmolLM3ForCausalLM, lengths=[LONG, *LENGTHS], drop=("layer_types", "no_rope_layers"), **{
            **SMALL, "num_hidden_layers": 4, "max_position_embeddings": 2048, "pad_token_id": None}),
    "smollm3_window": lambda name: decoder(
        name, C.SmolLM3ForCausalLM, drop=("layer_types",), **{
            **SMALL, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 16, "pad_token_id": None,
            "no_rope_layers": [0, 1, 0], "use_sliding_window": True, "sliding_window": 9,
            "tie_word_embeddings": False}),
}


def main():
    torch.set_grad_enabled(False)
    for name, make in GOLDENS.items():
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            make(name)


if __name__ == "__main__":
    main()
