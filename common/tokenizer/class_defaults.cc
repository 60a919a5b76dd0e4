#include "common/tokenizer/class_defaults.h"

namespace terminus::tokenizer {

DefaultTokens DefaultTokensOf(ReferenceClass reference_class) {
  switch (reference_class) {
    case ReferenceClass::kBackend:
      return {};
    case ReferenceClass::kBert:
      return {{"unk_token", "[UNK]"},
              {"sep_token", "[SEP]"},
              {"pad_token", "[PAD]"},
              {"cls_token", "[CLS]"},
              {"mask_token", "[MASK]"}};
    case ReferenceClass::kClip:
      return {{"unk_token", "<|endoftext|>"},
              {"bos_token", "<|startoftext|>"},
              {"eos_token", "<|endoftext|>"},
              {"pad_token", "<|endoftext|>"}};
    case ReferenceClass::kGemma:
    case ReferenceClass::kSiglip2:
      return {{"unk_token", "<unk>"},
              {"bos_token", "<bos>"},
              {"eos_token", "<eos>"},
              {"pad_token", "<pad>"},
              {"mask_token", "<mask>"}};
    case ReferenceClass::kGpt2:
      return {{"unk_token", "<|endoftext|>"},
              {"bos_token", "<|endoftext|>"},
              {"eos_token", "<|endoftext|>"},
              {"pad_token", ""}};
    case ReferenceClass::kLlama:
      return {{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
    case ReferenceClass::kQwen2:
      return {{"unk_token", "<|endoftext|>"},
              {"bos_token", ""},
              {"eos_token", "<|endoftext|>"},
              {"pad_token", "<|endoftext|>"}};
    case ReferenceClass::kSiglip:
      return {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "</s>"}};
    case ReferenceClass::kXlmRoberta:
      return {{"bos_token", "<s>"},    {"eos_token", "</s>"},  {"sep_token", "</s>"},
              {"cls_token", "<s>"},    {"unk_token", "<unk>"}, {"pad_token", "<pad>"},
              {"mask_token", "<mask>"}};
  }
  return {};
}

bool PadsLeft(ReferenceClass reference_class) {
  return reference_class == ReferenceClass::kGemma || reference_class == ReferenceClass::kLlama ||
         reference_class == ReferenceClass::kSiglip2;
}

bool KeepsFile(ReferenceClass reference_class) {
  return reference_class == ReferenceClass::kBackend;
}

absl::optional<TokensAround> NamesAround(ReferenceClass reference_class) {
  switch (reference_class) {
    case ReferenceClass::kBert:
      return TokensAround{.before = "cls_token", .after = "sep_token"};
    case ReferenceClass::kClip:
    case ReferenceClass::kXlmRoberta:
      return TokensAround{.before = "bos_token", .after = "eos_token"};
    default:
      return absl::nullopt;
  }
}

}  // namespace terminus::tokenizer
