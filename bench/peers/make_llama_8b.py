"""Makes a folder in the shape of Llama 3.1 8B, bfloat16, with random weights, in shards as published ones are.

    make_llama_8b.py --out FOLDER [--layers N]

Weights are slices, each from another place, of one run of small normal values: speed does not depend on them. The
files are written raw, several at a time. Needs 15 GiB of disk. FOLDER is also a bundle, with a made-up tokenizer.
"""

import argparse
import concurrent.futures
import json
import os

import llama_tokenizer
import torch

HIDDEN, INNER, KV, VOCAB, LAYERS = 4096, 14336, 1024, 128256, 32
SHARD_BYTES = 5_000_000_000
POOL = 1 << 26
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "bfloat16", "vocab_size": VOCAB,
    "hidden_size": HIDDEN, "intermediate_size": INNER, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "max_position_embeddings": 131072, "rms_norm_eps": 1e-5,
    "hidden_act": "silu", "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False,
    "rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
                        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
    "bos_token_id": 128000, "eos_token_id": 128001,
}
# Its space has a name of its own: without one, all weights would be hashed.
BUNDLE = """format: 1
name: llama-8b-random
space:
  id: 8b8b8b8b8b8b8b8b8b8b8b8b8b8b8b8b
decoder:
  path: .
"""


def tensors(layers):
    """(name, shape) in the order of the files."""
    yield "model.embed_tokens.weight", [VOCAB, HIDDEN]
    for i in range(layers):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", [HIDDEN]
        yield layer + "mlp.down_proj.weight", [HIDDEN, INNER]
        yield layer + "mlp.gate_proj.weight", [INNER, HIDDEN]
        yield layer + "mlp.up_proj.weight", [INNER, HIDDEN]
        yield layer + "post_attention_layernorm.weight", [HIDDEN]
        yield layer + "self_attn.k_proj.weight", [KV, HIDDEN]
        yield layer + "self_attn.o_proj.weight", [HIDDEN, HIDDEN]
        yield layer + "self_attn.q_proj.weight", [HIDDEN, HIDDEN]
        yield layer + "self_attn.v_proj.weight", [KV, HIDDEN]
    yield "model.norm.weight", [HIDDEN]
    yield "lm_head.weight", [VOCAB, HIDDEN]


def shards(layers):
    """Lists of (name, shape, bytes), each of about SHARD_BYTES."""
    made, size = [[]], 0
    for name, shape in tensors(layers):
        count = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        if size + count > SHARD_BYTES:
            made.append([])
            size = 0
        made[-1].append((name, shape, count))
        size += count
    return made


def write(path, number, parts, pool):
    """One safetensors file: the header's length, the header, the tensors' bytes."""
    header, offset = {}, 0
    for name, shape, count in parts:
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + count]}
        offset += count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    ones = b"\x80\x3f"
    with open(path, "wb", buffering=0) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for i, (_, shape, count) in enumerate(parts):
            if len(shape) == 1:  # Of a norm.
                file.write(ones * (count // 2))
                continue
            at = 2 * 4099 * (97 * number + i) % len(pool)
            while count > 0:
                part = pool[at:at + count]
                count -= file.write(part)
                at = (at + len(part)) % len(pool)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True)
    parser.add_argument("--layers", type=int, default=LAYERS)
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    torch.manual_seed(1)
    values = torch.randn(POOL, device="cuda" if torch.cuda.is_available() else "cpu")
    pool = memoryview(values.mul_(0.02).bfloat16().cpu().view(torch.uint8).numpy())
    parts = shards(args.layers)
    names = [f"model-{i + 1:05}-of-{len(parts):05}.safetensors" for i in range(len(parts))]
    with concurrent.futures.ThreadPoolExecutor() as threads:
        list(threads.map(lambda i: write(os.path.join(args.out, names[i]), i, parts[i], pool), range(len(parts))))
    with open(os.path.join(args.out, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": sum(count for some in parts for _, _, count in some)},
                   "weight_map": {name: names[i] for i, some in enumerate(parts) for name, _, _ in some}}, file)
    with open(os.path.join(args.out, "config.json"), "w") as file:
        json.dump(CONFIG | {"num_hidden_layers": args.layers}, file)
    llama_tokenizer.write(args.out)
    # Last: a folder that has it is whole.
    with open(os.path.join(args.out, "bundle.yaml"), "w") as file:
        file.write(BUNDLE)


if __name__ == "__main__":
    main()
