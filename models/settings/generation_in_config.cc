#include "models/settings/generation_in_config.h"

#include <array>

namespace terminus::models::settings {
namespace {

using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;

constexpr absl::string_view kNames[] = {
    "max_length",
    "min_length",
    "do_sample",
    "early_stopping",
    "num_beams",
    "num_beam_groups",
    "diversity_penalty",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "repetition_penalty",
    "encoder_repetition_penalty",
    "length_penalty",
    "exponential_decay_length_penalty",
    "no_repeat_ngram_size",
    "encoder_no_repeat_ngram_size",
    "bad_words_ids",
    "suppress_tokens",
    "begin_suppress_tokens",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "remove_invalid_values",
    "num_return_sequences",
    "output_scores",
    "return_dict_in_generate",
    "num_assistant_tokens",
    "num_assistant_tokens_schedule",
    "assistant_confidence_threshold",
    "assistant_lookbehind",
    "target_lookbehind",
};

// transformers takes these out of an encoder's configuration no more than any unknown key; a
// language model without generation_config.json has them counted all the same.
constexpr absl::string_view kMoreNames[] = {
    "assistant_early_exit",
    "assistant_ensemble_weight",
    "cache_config",
    "cache_implementation",
    "compile_config",
    "constraints",
    "continuous_batching_config",
    "disable_compile",
    "dola_layers",
    "force_words_ids",
    "guidance_scale",
    "is_assistant",
    "low_memory",
    "max_cache_len",
    "max_matching_ngram_size",
    "max_new_tokens",
    "max_time",
    "min_new_tokens",
    "min_p",
    "output_logits",
    "penalty_alpha",
    "prefill_chunk_size",
    "prompt_lookup_num_tokens",
    "renormalize_logits",
    "sequence_bias",
    "speculation_type",
    "stop_strings",
    "token_healing",
    "top_h",
    "use_mtp",
    "watermarking_config",
};

constexpr absl::string_view kCounts = "where there is no generation_config.json, as in that file";

template <size_t count>
constexpr std::array<Key, count> KeysOf(const absl::string_view (&names)[count],
                                        Key (*declare)(absl::string_view, absl::string_view),
                                        absl::string_view why) {
  std::array<Key, count> keys;
  for (size_t i = 0; i < count; ++i) {
    keys[i] = declare(names[i], why);
  }
  return keys;
}

constexpr auto kOfEncoders = KeysOf(kNames, NoEffect, "of generation, which encoders do not do");
constexpr auto kOfLanguageModels = KeysOf(kNames, Used, kCounts);
constexpr auto kMoreOfLanguageModels = KeysOf(kMoreNames, Used, kCounts);
constexpr Table kMore = {.file = "config.json",
                         .kind = "language models, more of generation",
                         .keys = kMoreOfLanguageModels};
constexpr const Table* kMoreBases[] = {&kMore};

}  // namespace

constexpr Table kGenerationOfEncoders = {
    .file = "config.json", .kind = "every family, generation", .keys = kOfEncoders};
constexpr Table kGenerationOfLanguageModels = {.file = "config.json",
                                               .kind = "language models, generation",
                                               .keys = kOfLanguageModels,
                                               .bases = kMoreBases};

}  // namespace terminus::models::settings
