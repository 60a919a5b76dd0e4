"""llama.cpp's C functions, out of the wheel xllamacpp, and a GGUF file of a bundle's decoder for them.

The wheel is built for AVX2, FMA and F16C: on a processor with more, llama.cpp built there would be faster.
"""

import ctypes
import hashlib
import importlib.util
import json
import os

import numpy

MAX_BATCH = 1024


class _Batch(ctypes.Structure):
    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)),
                ("embd", ctypes.c_void_p), ("pos", ctypes.POINTER(ctypes.c_int32)),
                ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
                ("logits", ctypes.POINTER(ctypes.c_int8))]


class _ContextParams(ctypes.Structure):
    # The fields set here stand first; the rest is carried along as the library made it. It is passed in memory, so
    # that more room than it has does no harm.
    _fields_ = [("n_ctx", ctypes.c_uint32), ("n_batch", ctypes.c_uint32), ("n_ubatch", ctypes.c_uint32),
                ("n_seq_max", ctypes.c_uint32), ("rest", ctypes.c_uint8 * 1008)]


class _ModelParams(ctypes.Structure):
    _fields_ = [("all", ctypes.c_uint8 * 1024)]


def _library():
    spec = importlib.util.find_spec("xllamacpp")
    lib = ctypes.CDLL(os.path.join(spec.submodule_search_locations[0], "xllamacpp.abi3.so"), ctypes.RTLD_GLOBAL)
    for name, result, arguments in (
            ("llama_model_default_params", _ModelParams, []),
            ("llama_context_default_params", _ContextParams, []),
            ("llama_model_load_from_file", ctypes.c_void_p, [ctypes.c_char_p, _ModelParams]),
            ("llama_init_from_model", ctypes.c_void_p, [ctypes.c_void_p, _ContextParams]),
            ("llama_set_n_threads", None, [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32]),
            ("llama_get_memory", ctypes.c_void_p, [ctypes.c_void_p]),
            ("llama_memory_clear", None, [ctypes.c_void_p, ctypes.c_bool]),
            ("llama_batch_init", _Batch, [ctypes.c_int32, ctypes.c_int32, ctypes.c_int32]),
            ("llama_decode", ctypes.c_int32, [ctypes.c_void_p, _Batch]),
            ("llama_get_logits_ith", ctypes.POINTER(ctypes.c_float), [ctypes.c_void_p, ctypes.c_int32]),
            ("llama_print_system_info", ctypes.c_char_p, []),
            ("llama_log_set", None, [ctypes.c_void_p, ctypes.c_void_p])):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


class LlamaCpp:
    """A model and a context of up to `sequences` sequences."""

    def __init__(self, path, vocab_size, threads, sequences, context):
        self.lib = _library()
        self._silence = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
        self.lib.llama_log_set(ctypes.cast(self._silence, ctypes.c_void_p), None)
        self.vocab_size = vocab_size
        model = self.lib.llama_model_load_from_file(path.encode(), self.lib.llama_model_default_params())
        params = self.lib.llama_context_default_params()
        params.n_ctx, params.n_batch, params.n_ubatch = sequences * context, MAX_BATCH, MAX_BATCH // 2
        params.n_seq_max = sequences
        self.context = self.lib.llama_init_from_model(model, params)
        if not model or not self.context:
            raise SystemExit(f"llama.cpp cannot load {path}")
        self.lib.llama_set_n_threads(self.context, threads, threads)
        self.batch = self.lib.llama_batch_init(MAX_BATCH, 0, 1)

    def clear(self):
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)

    def step(self, tokens, start):
        """tokens [sequences][new] at positions from `start` → logits of the last of each, [sequences, vocab]."""
        batch, n, last = self.batch, 0, []
        for sequence, new in enumerate(tokens):
            for i, token in enumerate(new):
                batch.token[n], batch.pos[n], batch.n_seq_id[n] = token, start + i, 1
                batch.seq_id[n][0] = sequence
                batch.logits[n] = i == len(new) - 1
                n += 1
            last.append(n - 1)
        batch.n_tokens = n
        if self.lib.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")
        return numpy.stack([numpy.ctypeslib.as_array(self.lib.llama_get_logits_ith(self.context, i),
                                                     (self.vocab_size,)) for i in last])


def _interleave(weight, heads):
    """Hugging Face has the elements of a rotary pair half a head apart, GGUF side by side."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


_LAYER = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
          "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
          "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
_TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


def _gguf_name(name):
    stem = name.removesuffix(".weight")
    if stem in _TOP:
        return _TOP[stem] + ".weight"
    _, _, layer, rest = stem.split(".", 3)
    return f"blk.{layer}.{_LAYER[rest]}.weight"


def export(folder, out):
    """Writes the decoder's folder as GGUF with the same bfloat16 numbers, without its vocabulary."""
    import gguf
    import safetensors.torch
    import torch
    with open(os.path.join(folder, "config.json")) as file:
        config = json.load(file)
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("none")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, tensor in safetensors.torch.load_file(os.path.join(folder, "model.safetensors")).items():
        kind = name.split(".")[-2]
        if kind in heads:
            tensor = _interleave(tensor, heads[kind])
        if tensor.dim() == 1:
            writer.add_tensor(_gguf_name(name), tensor.float().numpy())
        else:
            raw = tensor.contiguous().view(torch.uint8).numpy()
            writer.add_tensor(_gguf_name(name), raw, raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def exported(folder):
    """The GGUF file of the decoder's folder, written once into TERMINUS_HOME/bench."""
    import environment
    with open(os.path.join(folder, "model.safetensors"), "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    path = os.path.join(environment.terminus_home(), "bench", f"decoder-{digest}.gguf")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        export(folder, path + ".new")
        os.rename(path + ".new", path)
    return path
