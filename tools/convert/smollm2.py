"""SmolLM2 from a GGUF file → a Hugging Face folder: config, weights in bfloat16, tokenizer, chat template."""

import json
import struct

import numpy

# Of tokenizer.ggml.token_type.
_NORMAL, _CONTROL = 1, 3

_LAYER_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def to_bfloat16(values):
    """float32 → the upper 16 bits, to nearest, ties to even."""
    bits = numpy.ascontiguousarray(values, numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def short(value):
    """A float32 that was written as a float64, as the decimal it was meant to be."""
    return float(f"{value:.7g}")


def unpermute(weight, heads):
    """GGUF has the two elements of a rotary pair side by side, Hugging Face half a head apart."""
    size = weight.shape[0] // heads
    return weight.reshape(heads, size // 2, 2, -1).swapaxes(1, 2).reshape(weight.shape)


def _expect(metadata, **wanted):
    for key, value in wanted.items():
        name = key.replace("__", ".")
        if metadata.get(name) != value:
            raise ValueError(f"GGUF: {name} is {metadata.get(name)!r}, supported is {value!r}")


def config(metadata, tied):
    _expect(metadata, general__architecture="llama")
    heads = metadata["llama.attention.head_count"]
    size = metadata["llama.embedding_length"] // heads
    _expect(metadata, llama__rope__dimension_count=size)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": metadata["llama.vocab_size"],
        "hidden_size": metadata["llama.embedding_length"],
        "intermediate_size": metadata["llama.feed_forward_length"],
        "num_hidden_layers": metadata["llama.block_count"],
        "num_attention_heads": heads,
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "max_position_embeddings": metadata["llama.context_length"],
        "rms_norm_eps": short(metadata["llama.attention.layer_norm_rms_epsilon"]),
        "rope_theta": short(metadata["llama.rope.freq_base"]),
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
        **_special_ids(metadata),
    }


def _special_ids(metadata):
    return {"bos_token_id": metadata["tokenizer.ggml.bos_token_id"],
            "eos_token_id": metadata["tokenizer.ggml.eos_token_id"],
            "pad_token_id": metadata["tokenizer.ggml.padding_token_id"]}


def hf_name(name):
    """blk.3.ffn_up.weight → model.layers.3.mlp.up_proj.weight"""
    top = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight",
           "output.weight": "lm_head.weight"}
    if name in top:
        return top[name]
    parts = name.split(".")
    if len(parts) != 4 or parts[0] != "blk" or parts[3] != "weight" or parts[2] not in _LAYER_TENSORS:
        raise ValueError(f"GGUF: a tensor {name!r} is not known of Llama")
    return f"model.layers.{parts[1]}.{_LAYER_TENSORS[parts[2]]}.weight"


def write_weights(gguf, path):
    """All tensors in bfloat16: what was quantized is what the quantized numbers stand for, rounded.

    By hand, because numpy, and with it safetensors.numpy, has no bfloat16.
    """
    heads = {"attn_q": gguf.metadata["llama.attention.head_count"],
             "attn_k": gguf.metadata["llama.attention.head_count_kv"]}
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    arrays = []
    for name in gguf.names():
        values = gguf.tensor(name)
        kind = name.split(".")[-2]
        if kind in heads:
            values = unpermute(values, heads[kind])
        header[hf_name(name)] = {"dtype": "BF16", "shape": list(values.shape),
                                 "data_offsets": [offset, offset + 2 * values.size]}
        arrays.append(to_bfloat16(values))
        offset += 2 * values.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays:
            file.write(array.tobytes())


def _added_tokens(metadata):
    kinds = metadata["tokenizer.ggml.token_type"]
    unknown = set(kinds) - {_NORMAL, _CONTROL}
    if unknown:
        raise ValueError(f"GGUF: token types {sorted(unknown)} are not supported")
    return [{"id": i, "content": metadata["tokenizer.ggml.tokens"][i], "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True}
            for i, kind in enumerate(kinds) if kind == _CONTROL]


def tokenizer(metadata):
    """tokenizer.json: byte-level BPE; every digit is a word of its own, the rest is split as GPT-2 does."""
    _expect(metadata, tokenizer__ggml__model="gpt2", tokenizer__ggml__pre="smollm",
            tokenizer__ggml__add_bos_token=False, tokenizer__ggml__add_space_prefix=False)
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added_tokens(metadata),
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence",
                          "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(metadata["tokenizer.ggml.tokens"])},
            "merges": [merge.split(" ") for merge in metadata["tokenizer.ggml.merges"]],
        },
    }


def tokenizer_config(metadata):
    tokens = metadata["tokenizer.ggml.tokens"]

    def token(kind):
        return tokens[metadata[f"tokenizer.ggml.{kind}_token_id"]]

    added = _added_tokens(metadata)
    return {
        # GPT2Tokenizer of transformers 5 would make a pre-tokenizer of its own, without the digits.
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": metadata["llama.context_length"],
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "bos_token": token("bos"),
        "eos_token": token("eos"),
        "pad_token": token("padding"),
        "unk_token": token("unknown"),
        "added_tokens_decoder": {str(entry["id"]): {key: entry[key] for key in entry if key != "id"}
                                 for entry in added},
        "chat_template": metadata["tokenizer.chat_template"],
    }


def convert(gguf, out):
    """Fills the folder `out`."""
    def write(name, value):
        (out / name).write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    metadata = gguf.metadata
    write("config.json", config(metadata, tied="output.weight" not in gguf.names()))
    write("generation_config.json", _special_ids(metadata))
    (out / "tokenizer.json").write_text(json.dumps(tokenizer(metadata), ensure_ascii=False) + "\n")
    write("tokenizer_config.json", tokenizer_config(metadata))
    write_weights(gguf, out / "model.safetensors")
