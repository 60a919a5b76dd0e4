#!/usr/bin/env python3
"""Makes models.json beside it: how far transformers in bfloat16 is from itself in float32.

usage: make_models.py        (in the reference environment)

For each of some small language models, whose weights bfloat16 holds exactly: its config.json, the tensors' names and
shapes (make_goldens.fill, rounded), the logits in float32 of a few of 512 tokens, and "error", the norm of the
difference of both computations' logits of all 512 over the norm of those in float32.
"""

import json
import pathlib
import sys

import torch
import transformers

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "models"))
from make_decoder_goldens import KEYS  # noqa: E402
from make_goldens import fill, hash32, rounded  # noqa: E402

TOKENS = 512
SEED = 3000
SHOWN = (0, 100, 511)

C = transformers
SMALL = dict(vocab_size=504, hidden_size=256, num_hidden_layers=3, intermediate_size=384, max_position_embeddings=2048,
             tie_word_embeddings=False, rms_norm_eps=1e-5)


def heads(count, kv, size):
    return dict(SMALL, num_attention_heads=count, num_key_value_heads=kv, head_dim=size)


MODELS = {
    "heads_of_64": (C.LlamaForCausalLM, heads(8, 2, 64)),
    "heads_of_128": (C.LlamaForCausalLM, heads(8, 2, 128)),
    "one_kv_head": (C.LlamaForCausalLM, heads(8, 1, 128)),
    "many_query_heads": (C.LlamaForCausalLM, dict(heads(24, 2, 64), hidden_size=192)),
    "three_heads": (C.LlamaForCausalLM, dict(heads(3, 1, 64), hidden_size=192)),
    "equal_heads": (C.LlamaForCausalLM, dict(heads(5, 5, 64), hidden_size=320)),
    "normalised_heads": (C.Qwen3ForCausalLM, heads(4, 2, 128)),
    "biases": (C.Qwen2ForCausalLM, heads(4, 2, 64)),
    "windows": (C.MistralForCausalLM, dict(heads(4, 2, 128), sliding_window=50)),
    "windows_of_some_layers": (C.Qwen2ForCausalLM, dict(heads(4, 2, 64), use_sliding_window=True, sliding_window=33,
                                                        max_window_layers=1)),
}


@torch.no_grad()
def golden(model_class, options):
    model = model_class(model_class.config_class(**options)).eval()
    model.set_attn_implementation("eager")
    tensors = []
    state = model.state_dict()
    for name, tensor in state.items():
        state[name] = fill(name, list(tensor.shape)).bfloat16().float()
        tensors.append([name, list(tensor.shape)])
    model.load_state_dict(state)
    ids = torch.from_numpy((hash32(SEED, TOKENS) % options["vocab_size"]).astype("int64"))[None]
    exact = model(ids, use_cache=False).logits[0]
    rough = model.bfloat16()(ids, use_cache=False).logits[0].float()
    error = float((rough - exact).norm() / exact.norm())
    config = {key: value for key, value in model.config.to_dict().items() if key in KEYS and value is not None}
    return {"config": config, "tensors": tensors, "error": error,
            "logits": {str(i): rounded(exact[i]) for i in SHOWN}}


def main():
    models = {name: golden(*model) for name, model in MODELS.items()}
    lines = ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in models.items())
    (HERE / "models.json").write_text("{\n" + lines + "\n}\n")
    for name, value in models.items():
        print(name, value["error"])


if __name__ == "__main__":
    main()
