#include "models/settings/generation_config.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;

constexpr char kAssistant[] = "read only where an assistant model guesses tokens ahead";
constexpr char kBeams[] = "read only by beam search";
constexpr char kReturned[] = "chooses what generate() returns beside the tokens";
constexpr char kArgument[] = "an argument of generate(); the file must not have it";
constexpr char kCache[] = "how keys and values are stored, without a change to them";
constexpr char kMemory[] = "trades memory for time";

constexpr Key kKeys[] = {
    // Lengths.
    Used("max_length", "most tokens of prompt and answer, where the request sets no max_tokens"),
    Used("max_new_tokens", "most tokens of an answer, where the request sets no max_tokens"),
    Used("min_length", "tokens of prompt and answer before which the answer does not end"),
    Used("min_new_tokens", "tokens of an answer before which it does not end"),
    Used("stop_strings", "end an answer where the request has no stop strings"),
    Fixed("max_time", "[]", "a request has a deadline of its own"),

    // Which token comes next.
    Used("do_sample", "false: always the likeliest token"),
    Used("temperature", "divides the logits"),
    Used("top_k", "keeps the likeliest tokens; 50 where it is absent, 0 keeps all"),
    Used("top_p", "keeps the likeliest tokens that sum to this probability"),
    Used("min_p", "drops tokens below this share of the likeliest one's probability"),
    Used("top_h", "keeps the likeliest tokens up to this share of the entropy"),
    Used("typical_p", "keeps the tokens nearest to the expected information"),
    Used("epsilon_cutoff", "drops tokens below this probability"),
    Used("eta_cutoff", "drops tokens below a probability that depends on the entropy"),
    Used("repetition_penalty", "lowers the logits of tokens of the prompt and the answer"),
    Used("encoder_repetition_penalty", "raises the logits of the prompt's tokens"),
    Used("no_repeat_ngram_size", "no n-gram of prompt and answer comes twice"),
    Used("encoder_no_repeat_ngram_size", "no n-gram of the prompt comes again"),
    Used("bad_words_ids", "sequences of tokens that are never completed"),
    Used("sequence_bias", "added to the logit of a sequence's last token"),
    Used("suppress_tokens", "tokens that never come"),
    Used("begin_suppress_tokens", "tokens that an answer does not begin with"),
    Used("forced_bos_token_id", "first token after a prompt of one token"),
    Used("forced_eos_token_id", "last token of an answer of the greatest length"),
    Used("exponential_decay_length_penalty", "raises the logit of the end with each token"),
    Used("remove_invalid_values", "replaces infinite logits by the largest numbers"),
    NoEffect("renormalize_logits", "probabilities are normalized when a token is drawn"),

    // Tokens.
    Used("eos_token_id", "tokens that end an answer"),
    NoEffect("pad_token_id", "prompts are not padded"),
    NoEffect("bos_token_id", "the tokenizer and the chat template begin a prompt"),
    NoEffect("decoder_start_token_id", "read only by models that have an encoder as well"),
    Fixed("force_bos_token_to_be_generated", "[false]", "set forced_bos_token_id instead"),
    Fixed("token_healing", "[false]", "the prompt's last token would be replaced"),

    // Other ways to search.
    Fixed("num_beams", "[1]", "beam search is not computed"),
    Fixed("num_return_sequences", "[1]", "a request asks for several answers by choices"),
    Fixed("penalty_alpha", "[0]", "contrastive search is not computed"),
    Fixed("dola_layers", "[]", "DoLa is not computed"),
    Fixed("constraints", "[]", "constrained beam search is not computed"),
    Fixed("force_words_ids", "[]", "constrained beam search is not computed"),
    Fixed("guidance_scale", "[1]", "a second prompt would have to be computed"),
    Fixed("watermarking_config", "[]", "no watermark is written"),
    NoEffect("early_stopping", kBeams),
    NoEffect("length_penalty", kBeams),
    NoEffect("num_beam_groups", kBeams),
    NoEffect("diversity_penalty", kBeams),
    NoEffect("low_memory", kMemory),

    // Guessing tokens ahead.
    Fixed("use_mtp", "[false]", "tokens are not guessed ahead"),
    Fixed("is_assistant", "[false]", "the model answers by itself"),
    Fixed("prompt_lookup_num_tokens", "[]", "tokens are not guessed ahead"),
    Fixed("assistant_early_exit", "[]", "tokens are not guessed ahead"),
    NoEffect("num_assistant_tokens", kAssistant),
    NoEffect("num_assistant_tokens_schedule", kAssistant),
    NoEffect("assistant_confidence_threshold", kAssistant),
    NoEffect("max_matching_ngram_size", kAssistant),
    NoEffect("assistant_lookbehind", kAssistant),
    NoEffect("target_lookbehind", kAssistant),
    NoEffect("assistant_ensemble_weight", kAssistant),
    NoEffect("speculation_type", kAssistant),

    // Memory and speed.
    NoEffect("use_cache", "whether keys and values are kept or computed again"),
    Fixed("cache_implementation",
          R"(["dynamic", "static", "offloaded", "offloaded_static", "sliding_window", "hybrid",
              "hybrid_chunked", "offloaded_hybrid", "offloaded_hybrid_chunked"])",
          "keys and values are kept as they are computed"),
    NoEffect("cache_config", kCache),
    NoEffect("max_cache_len", kMemory),
    NoEffect("prefill_chunk_size", kMemory),
    Fixed("compile_config", "[]", "generate() takes it as an argument only"),
    NoEffect("disable_compile", "whether the model is compiled"),
    NoEffect("continuous_batching_config", kMemory),

    // Answers of generate() and names.
    NoEffect("output_attentions", kReturned),
    NoEffect("output_hidden_states", kReturned),
    NoEffect("output_scores", kReturned),
    NoEffect("output_logits", kReturned),
    NoEffect("return_dict_in_generate", kReturned),
    NoEffect("_from_model_config", "says that the file was made of config.json"),
    NoEffect("_commit_hash", "names the version of the folder"),
    NoEffect("transformers_version", "names the version that wrote the file"),
    Fixed("logits_processor", "[]", kArgument),
    Fixed("stopping_criteria", "[]", kArgument),
    Fixed("prefix_allowed_tokens_fn", "[]", kArgument),
    Fixed("synced_gpus", "[]", kArgument),
    Fixed("assistant_model", "[]", kArgument),
    Fixed("streamer", "[]", kArgument),
    Fixed("negative_prompt_ids", "[]", kArgument),
    Fixed("negative_prompt_attention_mask", "[]", kArgument),
};

}  // namespace

constexpr terminus::settings::Table kGenerationConfig = {
    .file = "generation_config.json", .kind = "language models", .keys = kKeys};

}  // namespace terminus::models::settings
