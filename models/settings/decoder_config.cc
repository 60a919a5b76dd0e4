#include "models/settings/decoder_config.h"

#include "models/settings/generation_in_config.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;
using terminus::settings::UsedObject;

constexpr char kNotRead[] = "the family's layers do not look at it";
constexpr char kNested[] = "layers would turn by different angles";

constexpr const Table* kCommon[] = {&kCommonConfig};

constexpr Key kRopeKeys[] = {
    Used("rope_type",
         "\"default\", \"linear\", \"llama3\", \"yarn\", or \"dynamic\" and \"longrope\" up to the "
         "length of the first training"),
    Used("type", "the older name of rope_type"),
    Used("rope_theta", "base of the angles"),
    Used("factor", "by how much angles shrink"),
    Used("low_freq_factor", "of \"llama3\""),
    Used("high_freq_factor", "of \"llama3\""),
    Used("original_max_position_embeddings",
         "of \"llama3\", \"longrope\" and \"yarn\": the context of the first training"),
    Fixed("partial_rotary_factor", "[1]", "a part of each head would not be turned"),
    Fixed("full_attention", "[]", kNested),
    Fixed("sliding_attention", "[]", kNested),
    Used("attention_factor",
         "of \"longrope\" and \"yarn\": what cosines and sines are multiplied by"),
    Used("beta_fast", "of \"yarn\": pairs that turn more often keep their angles"),
    Used("beta_slow", "of \"yarn\": pairs that turn less often shrink by the factor"),
    Used("mscale", "of \"yarn\": with mscale_all_dim, sets the attention factor"),
    Used("mscale_all_dim", "of \"yarn\": with mscale, sets the attention factor"),
    Used("truncate", "of \"yarn\": whether the bounds of beta_fast and beta_slow are whole pairs"),
    Used("short_factor", "of \"longrope\": by how much the angle of each pair shrinks"),
    NoEffect("long_factor",
             "of \"longrope\" beyond the first training's length, where contexts end"),
    NoEffect("mrope_section", "of models that see pictures"),
};

constexpr Key kDecoderKeys[] = {
    Used("vocab_size", "rows of the token table"),
    Used("hidden_size", "elements of a token's vector"),
    Used("intermediate_size", "elements inside each layer's MLP"),
    Used("num_hidden_layers", "layers"),
    Used("num_attention_heads", "heads of queries"),
    Used("num_key_value_heads", "heads of keys and values"),
    Used("head_dim", "elements of a head; supported are multiples of 16"),
    Used("max_position_embeddings", "the longest context in tokens"),
    Used("rms_norm_eps", "added to mean squares"),
    Used("layer_types", "which layers attend within a window"),
    UsedObject("rope_parameters", &kRopeParameters, "angles of positions"),
    UsedObject("rope_scaling", &kRopeParameters,
               "the older name of rope_parameters; where it is, it counts instead"),
    Used("rope_theta", "base of the angles, where the object has none"),
    Used("original_max_position_embeddings",
         "of \"llama3\", \"longrope\" and \"yarn\": counts more than the value in rope_parameters"),
    Fixed("hidden_act", "[\"silu\", \"swish\"]", "activation inside each layer's MLP"),
    Fixed("partial_rotary_factor", "[1]", "a part of each head would not be turned"),
    Fixed("is_causal", "[true]", "tokens would see those behind them"),
    Fixed("attention_chunk_size", "[]", "tokens would not see those of other chunks"),
    NoEffect("is_decoder", "attention is causal in any case"),
    NoEffect("rope_interleaved", "no version reads it"),
    NoEffect("is_llama_config", "no version reads it"),
};
constexpr Table kDecoderBase = {
    .file = "config.json", .kind = "decoders", .keys = kDecoderKeys, .bases = kCommon};
constexpr const Table* kDecoderBases[] = {&kDecoderBase};

constexpr const Table* kLanguageModelOwnBases[] = {&kGenerationOfLanguageModels, &kDecoderBase};

// Of those that continue texts.
constexpr Key kLanguageModelKeys[] = {
    Used("eos_token_id", "tokens that end a text, where there is no generation_config.json"),
    Used("tie_word_embeddings", "whether the head is the token table"),
};
constexpr Table kLanguageModelBase = {.file = "config.json",
                                      .kind = "language models",
                                      .keys = kLanguageModelKeys,
                                      .bases = kLanguageModelOwnBases};
constexpr const Table* kLanguageModelBases[] = {&kLanguageModelBase};

constexpr Key kLlamaKeys[] = {
    Used("attention_bias", "whether the attention's four linear maps have biases"),
    Used("mlp_bias", "whether the MLP's have"),
    Fixed("sliding_window", "[]", "tokens would be forgotten while a text is continued"),
    NoEffect("use_sliding_window", kNotRead),
    NoEffect("max_window_layers", kNotRead),
    NoEffect("pretraining_tp", "splits products into parts, with the same result"),
};

constexpr Key kMistralKeys[] = {
    Used("sliding_window", "tokens that attention sees: the last ones"),
    NoEffect("use_sliding_window", kNotRead),
    NoEffect("max_window_layers", kNotRead),
    NoEffect("attention_bias", kNotRead),
    NoEffect("mlp_bias", kNotRead),
};

constexpr Key kWindowKeys[] = {
    Used("use_sliding_window", "whether layers attend within sliding_window"),
    Used("sliding_window",
         "tokens that such layers see: the last ones; the context of a text encoder ends there, "
         "because up to it nothing differs"),
};
constexpr Table kWindowBase = {
    .file = "config.json", .kind = "windows of layers", .keys = kWindowKeys};
constexpr const Table* kWindowBases[] = {&kWindowBase};
constexpr Key kQwenWindowKeys[] = {
    Used("max_window_layers", "the first layer that attends within the window"),
};
constexpr Table kQwenWindowBase = {.file = "config.json",
                                   .kind = "qwen's windows",
                                   .keys = kQwenWindowKeys,
                                   .bases = kWindowBases};
constexpr const Table* kQwenBases[] = {&kQwenWindowBase, &kLanguageModelBase};
constexpr const Table* kQwen3EncoderBases[] = {&kQwenWindowBase, &kDecoderBase};
constexpr const Table* kSmolLm3Bases[] = {&kWindowBase, &kLanguageModelBase};

constexpr Key kQwen2Keys[] = {
    NoEffect("use_mrope", "of models that see pictures"),
    NoEffect("attention_bias", "queries, keys and values have biases in any case"),
    NoEffect("mlp_bias", kNotRead),
};

constexpr Key kQwen3Keys[] = {
    Used("attention_bias", "whether the attention's four linear maps have biases"),
    NoEffect("mlp_bias", kNotRead),
};

constexpr Key kQwen3EncoderKeys[] = {
    Used("is_causal", "whether tokens see only those before them"),
    Used("attention_bias", "whether the attention's four linear maps have biases"),
    NoEffect("mlp_bias", kNotRead),
};

constexpr Key kSmolLm3Keys[] = {
    Used("attention_bias", "whether the attention's four linear maps have biases"),
    Used("mlp_bias", "whether the MLP's have"),
    Used("no_rope_layers", "a 0 for each layer that does not turn by positions"),
    Used("no_rope_layer_interval",
         "N: without no_rope_layers, every Nth layer does not turn by positions"),
    NoEffect("max_window_layers", kNotRead),
    NoEffect("pretraining_tp", "splits products into parts, with the same result"),
};

}  // namespace

constexpr Table kRopeParameters = {
    .file = "config.json", .kind = "decoders.rope_parameters", .keys = kRopeKeys};
constexpr Table kLlamaConfig = {
    .file = "config.json", .kind = "llama", .keys = kLlamaKeys, .bases = kLanguageModelBases};
constexpr Table kMistralConfig = {
    .file = "config.json", .kind = "mistral", .keys = kMistralKeys, .bases = kLanguageModelBases};
constexpr Table kQwen2Config = {
    .file = "config.json", .kind = "qwen2", .keys = kQwen2Keys, .bases = kQwenBases};
constexpr Table kQwen3Config = {
    .file = "config.json", .kind = "qwen3 for generation", .keys = kQwen3Keys, .bases = kQwenBases};
constexpr Table kQwen3EncoderConfig = {
    .file = "config.json", .kind = "qwen3", .keys = kQwen3EncoderKeys, .bases = kQwen3EncoderBases};
constexpr Table kSmolLm3Config = {
    .file = "config.json", .kind = "smollm3", .keys = kSmolLm3Keys, .bases = kSmolLm3Bases};

}  // namespace terminus::models::settings
