#include "models/settings/config_common.h"

#include "models/settings/config_other.h"
#include "models/settings/generation_in_config.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;
using terminus::settings::Warned;

constexpr char kOrigin[] = "says where the weights come from";
constexpr char kTraining[] = "of training only";
constexpr char kLabels[] = "of classification heads, which are not computed";
constexpr char kOutputs[] = "chooses what a Python call returns, not its values";
constexpr char kAttention[] = "chooses among kernels that compute the same attention";
constexpr char kIds[] = "the tokenizer's files say which special tokens a text gets";
constexpr Key kKeys[] = {
    Used("model_type", "names the family"),
    Warned("auto_map", "code of the folder is never run; the family's own is computed"),

    // Where the weights come from, and how they were stored.
    NoEffect("architectures", "names the class that saved the weights"),
    NoEffect("_name_or_path", kOrigin),
    NoEffect("name_or_path", kOrigin),
    NoEffect("_commit_hash", kOrigin),
    NoEffect("transformers_version", "names the version that wrote the file"),
    NoEffect("dtype",
             "Terminus chooses what it computes in; weights say themselves how they are stored"),
    NoEffect("torch_dtype", "the older name of dtype"),
    NoEffect("use_bfloat16", "an older hint for TPUs"),
    NoEffect("pruned_heads", "of old versions; the tensors' shapes say which heads there are"),

    // What is refused, because the weights or layers would be others.
    Fixed("quantization_config", "[]", "the weights would have to be dequantized"),
    Fixed("per_layer_config", "[{}]", "layers would differ from each other"),
    Fixed("fusion_config", "[]", "layers would be replaced"),
    Fixed("transformers_weights", "[]", "the weights would be read from another file"),
    Fixed("configuration_files", "[]", "another file would be read in place of this one"),
    Fixed("kv_sharing_modes", "[]", "layers would share keys and values"),
    Fixed("is_causal", "[false]", "tokens would not see those behind them"),
    Fixed("is_decoder", "[false]", "tokens would not see those behind them"),
    Fixed("is_encoder_decoder", "[false]", "the model would have a second half"),
    Fixed("add_cross_attention", "[false]", "the layers would attend to a second model"),

    // How a Python call behaves.
    NoEffect("output_hidden_states", kOutputs),
    NoEffect("output_attentions", kOutputs),
    NoEffect("return_dict", kOutputs),
    NoEffect("use_return_dict", kOutputs),
    NoEffect("tie_last_hidden_states", kOutputs),
    NoEffect("torchscript", kOutputs),
    NoEffect("use_cache", "keys and values are kept wherever tokens follow"),
    NoEffect("chunk_size_feed_forward", "the same products, in pieces"),
    NoEffect("attn_implementation", kAttention),
    NoEffect("_attn_implementation", kAttention),
    NoEffect("_attn_implementation_internal", kAttention),
    NoEffect("_attn_implementation_autoset", kAttention),
    NoEffect("_flash_attn_2_enabled", kAttention),
    NoEffect("experts_implementation", "of mixtures of experts, which these families are not"),
    NoEffect("_experts_implementation", "of mixtures of experts, which these families are not"),
    NoEffect("_experts_implementation_internal",
             "of mixtures of experts, which these families are not"),
    NoEffect("distributed_config", "says how transformers spreads a model over devices"),

    // Training and heads.
    NoEffect("initializer_range", kTraining),
    NoEffect("initializer_factor", kTraining),
    NoEffect("gradient_checkpointing", kTraining),
    NoEffect("attention_dropout", kTraining),
    NoEffect("id2label", kLabels),
    NoEffect("label2id", kLabels),
    NoEffect("num_labels", kLabels),
    NoEffect("_num_labels", kLabels),
    NoEffect("problem_type", kLabels),
    NoEffect("finetuning_task", kTraining),
    NoEffect("task_specific_params", "settings of pipelines, not of the model"),
    NoEffect("tie_word_embeddings", "of a language model's head, which an encoder has not"),
    NoEffect("tie_encoder_decoder", "of models with two halves"),
    NoEffect("cross_attention_hidden_size", "of models with two halves"),
    NoEffect("tf_legacy_loss", kTraining),
    NoEffect("output_past", kOutputs),
    NoEffect("transformers.js_config", "of another library"),

    // Tokens.
    NoEffect("tokenizer_class", "the tokenizer is read from its own files"),
    NoEffect("prefix", "of pipelines; prompts stand in config_sentence_transformers.json"),
    NoEffect("bos_token_id", kIds),
    NoEffect("eos_token_id", kIds),
    NoEffect("pad_token_id", kIds),
    NoEffect("sep_token_id", kIds),
    NoEffect("cls_token_id", kIds),
    NoEffect("mask_token_id", kIds),
    NoEffect("decoder_start_token_id", "of models with two halves"),
};

constexpr const Table* kBases[] = {&kGenerationOfEncoders, &kOtherConfig};

}  // namespace

constexpr Table kCommonConfig = {
    .file = "config.json", .kind = "every family", .keys = kKeys, .bases = kBases};

}  // namespace terminus::models::settings
