#include "common/tokenizer/folder_settings.h"

#include <array>
#include <vector>

#include "common/tokenizer/json_settings.h"

namespace terminus::tokenizer {
namespace {

using settings::Fixed;
using settings::Key;
using settings::NoEffect;
using settings::Table;
using settings::Used;

constexpr absl::string_view kPython =
    "an object or path that transformers takes from Python, not from a file";
constexpr absl::string_view kPath = "transformers takes the folder's own files";
constexpr absl::string_view kSlow = "read by tokenizers in Python only, which are not used here";
constexpr absl::string_view kCall = "the call says how to pad and to cut";

// Named special tokens, of both files.
constexpr Key kTokenKeys[] = {
    Used("bos_token", "token at the beginning"),
    Used("eos_token", "token at the end"),
    Used("unk_token", "token of unknown text"),
    Used("sep_token", "token between texts"),
    Used("pad_token", "token that fills up"),
    Used("cls_token", "token that stands for the text"),
    Used("mask_token", "token of masked text"),
    Used("additional_special_tokens", "more special tokens"),
    Used("extra_special_tokens", "more special tokens, or such with names"),
    Used("model_specific_special_tokens", "special tokens with names"),
};
constexpr Table kTokens = {.file = "special_tokens_map.json", .kind = "tokens", .keys = kTokenKeys};
constexpr const Table* kTokenTables[] = {&kTokens};

constexpr Key kMapKeys[] = {
    Fixed("add_bos_token", "[]", "would replace the tokens around each text"),
    Fixed("add_eos_token", "[]", "would replace the tokens around each text"),
};
constexpr Table kMap = {.file = "special_tokens_map.json",
                        .kind = "any class",
                        .keys = kMapKeys,
                        .bases = kTokenTables};

// tokenizer_config.json for every class.
constexpr Key kCommonKeys[] = {
    Used("tokenizer_class", "class that reads the folder"),
    Used("auto_map", "a class of the folder's own, which is not run"),
    Used("added_tokens_decoder", "added tokens by id"),
    Used("model_max_length", "tokens of an input at most"),
    Used("max_len", "older name of model_max_length"),
    Used("padding_side", "side that is filled up"),
    Used("truncation_side", "side that is cut off"),
    Used("split_special_tokens", "whether special tokens in a text are text"),
    Used("model_input_names", "inputs of the model"),
    Used("clean_up_tokenization_spaces", "whether decoded text loses blanks before punctuation"),
    Used("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output",
         "the same, for a BPE vocabulary"),
    Fixed("init_inputs", "[[]]", "arguments by position"),
    Fixed("fast_tokenizer_files", "[[]]", "other files in the place of tokenizer.json"),
    Fixed("trust_remote_code", "[false]", "would take tokenizer.json as it stands"),
    Fixed("fix_mistral_regex", "[false]", "would replace the pre-tokenizer"),
    Fixed("gguf_file", "[]", kPython),
    Fixed("tokenizer_object", "[]", kPython),
    Fixed("vocab", "[]", kPython),
    Fixed("merges", "[]", kPython),
    Fixed("unk_id", "[]", kPython),
    Fixed("post_processor", "[]", kPython),
    Fixed("tokenizer_padding", "[]", kPython),
    Fixed("tokenizer_truncation", "[]", kPython),
    Fixed("_json_padding", "[]", kPython),
    Fixed("_json_truncation", "[]", kPython),
    Fixed("_spm_precompiled_charsmap", "[]", kPython),
    NoEffect("add_bos_token", "transformers drops it where there is a tokenizer.json"),
    NoEffect("add_eos_token", "transformers drops it where there is a tokenizer.json"),
    NoEffect("backend", "names the library that saved the folder"),
    NoEffect("name_or_path", "a name"),
    NoEffect("processor_class", "a name"),
    NoEffect("_processor_class", "a name"),
    NoEffect("_commit_hash", "a name"),
    NoEffect("files_loaded", "a name"),
    NoEffect("is_local", "where the folder was"),
    NoEffect("local_files_only", "where the folder was"),
    NoEffect("tokenizer_file", kPath),
    NoEffect("vocab_file", kPath),
    NoEffect("merges_file", kPath),
    NoEffect("spm_file", kPath),
    NoEffect("added_tokens_file", kPath),
    NoEffect("special_tokens_map_file", kPath),
    NoEffect("tokenizer_config_file", kPath),
    NoEffect("chat_template", "read with the chat template"),
    NoEffect("chat_control_tokens", "marks tokens in chats, which are marked by their places here"),
    NoEffect("response_template", "takes answers apart, after decoding"),
    NoEffect("response_schema", "takes answers apart, after decoding"),
    NoEffect("verbose", "messages only"),
    NoEffect("use_fast", "there is one kind of tokenizer only"),
    NoEffect("spaces_between_special_tokens", kSlow),
    NoEffect("do_basic_tokenize", kSlow),
    NoEffect("never_split", kSlow),
    NoEffect("sp_model_kwargs", kSlow),
    NoEffect("keep_accents", kSlow),
    NoEffect("clean_text", "control characters are dropped as tokenizer.json or the class says"),
    NoEffect("wordpieces_prefix", "the prefix is as tokenizer.json or the class says"),
    NoEffect("errors", "bytes that are not UTF-8 become U+FFFD"),
    NoEffect("trim_offsets", "offsets are not reported"),
    NoEffect("use_default_system_prompt", "an older way to write prompts"),
    NoEffect("pad_token_type_id", kCall),
    NoEffect("pad_to_multiple_of", kCall),
    NoEffect("max_length", kCall),
    NoEffect("stride", kCall),
    NoEffect("truncation", kCall),
    NoEffect("truncation_strategy", kCall),
    NoEffect("padding", kCall),
    NoEffect("do_lower_case", "the class takes the normalizer as it is"),
    NoEffect("strip_accents", "the class takes the normalizer as it is"),
    NoEffect("tokenize_chinese_chars", "the class takes the normalizer as it is"),
    NoEffect("add_prefix_space", "the class takes the pre-tokenizer as it is"),
    NoEffect("legacy", "the class takes the pre-tokenizer as it is"),
};
constexpr Table kCommon = {.file = "tokenizer_config.json",
                           .kind = "any class",
                           .keys = kCommonKeys,
                           .bases = kTokenTables};
constexpr const Table* kCommonTables[] = {&kCommon};

constexpr Table kBackend = {.file = "tokenizer_config.json",
                            .kind = "TokenizersBackend",
                            .keys = {},
                            .bases = kCommonTables};

constexpr Key kBertKeys[] = {
    Used("do_lower_case", "lowers the case"),
    Used("strip_accents", "drops accents; as do_lower_case without a value"),
    Used("tokenize_chinese_chars", "makes each ideograph a word"),
};
constexpr Table kBert = {.file = "tokenizer_config.json",
                         .kind = "BertTokenizer",
                         .keys = kBertKeys,
                         .bases = kCommonTables};

constexpr Table kClip = {
    .file = "tokenizer_config.json", .kind = "CLIPTokenizer", .keys = {}, .bases = kCommonTables};
constexpr Table kGemma = {
    .file = "tokenizer_config.json", .kind = "GemmaTokenizer", .keys = {}, .bases = kCommonTables};
constexpr Table kSiglip2 = {.file = "tokenizer_config.json",
                            .kind = "Siglip2Tokenizer",
                            .keys = {},
                            .bases = kCommonTables};

constexpr Key kPrefixKeys[] = {
    Used("add_prefix_space", "puts a blank in front of the text"),
};
constexpr Table kGpt2 = {.file = "tokenizer_config.json",
                         .kind = "GPT2Tokenizer",
                         .keys = kPrefixKeys,
                         .bases = kCommonTables};
constexpr Table kQwen2 = {.file = "tokenizer_config.json",
                          .kind = "Qwen2Tokenizer",
                          .keys = kPrefixKeys,
                          .bases = kCommonTables};
constexpr Table kXlmRoberta = {.file = "tokenizer_config.json",
                               .kind = "XLMRobertaTokenizer",
                               .keys = kPrefixKeys,
                               .bases = kCommonTables};

constexpr Key kLlamaKeys[] = {
    Used("add_prefix_space", "puts a blank in front of the text"),
    Used("legacy", "puts it behind each special token too"),
};
constexpr Table kLlama = {.file = "tokenizer_config.json",
                          .kind = "LlamaTokenizer",
                          .keys = kLlamaKeys,
                          .bases = kCommonTables};

constexpr Key kSiglipKeys[] = {
    Used("do_lower_case", "lowers the case"),
    Used("legacy", "whether the blank that spiece.model puts in front counts"),
    NoEffect("max_len", "the class always has a model_max_length"),
    Fixed("sp_model_kwargs", "[{}]", "arguments of SentencePiece"),
};
constexpr Table kSiglip = {.file = "tokenizer_config.json",
                           .kind = "SiglipTokenizer",
                           .keys = kSiglipKeys,
                           .bases = kCommonTables};

}  // namespace

const Table& ConfigTable(ReferenceClass reference_class) {
  switch (reference_class) {
    case ReferenceClass::kBackend:
      break;
    case ReferenceClass::kBert:
      return kBert;
    case ReferenceClass::kClip:
      return kClip;
    case ReferenceClass::kGemma:
      return kGemma;
    case ReferenceClass::kGpt2:
      return kGpt2;
    case ReferenceClass::kLlama:
      return kLlama;
    case ReferenceClass::kQwen2:
      return kQwen2;
    case ReferenceClass::kSiglip:
      return kSiglip;
    case ReferenceClass::kSiglip2:
      return kSiglip2;
    case ReferenceClass::kXlmRoberta:
      return kXlmRoberta;
  }
  return kBackend;
}

const Table& SpecialTokensMapTable() { return kMap; }

absl::Span<const Table* const> AllTables() {
  static const std::vector<const Table*> tables = [] {
    std::vector<const Table*> all = {&kTokens, &kMap,     &kCommon,    &kBackend, &kBert,
                                     &kClip,   &kGemma,   &kGpt2,      &kLlama,   &kQwen2,
                                     &kSiglip, &kSiglip2, &kXlmRoberta};
    const absl::Span<const Table* const> sections = SectionTables();
    all.insert(all.end(), sections.begin(), sections.end());
    return all;
  }();
  return tables;
}

}  // namespace terminus::tokenizer
