#pragma once

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/added_vocabulary.h"
#include "common/tokenizer/token_argument.h"

// The tokens that the files beside tokenizer.json name, as transformers hands them to a tokenizer.
namespace terminus::tokenizer {

// The special tokens with names of their own, in the order in which they are added.
inline constexpr std::array<absl::string_view, 7> kTokenNames = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

// The files' texts as JSON, their keys in order; null for a file that is not there.
struct TokenFiles {
  nlohmann::ordered_json tokenizer_config;
  nlohmann::ordered_json special_tokens_map;
  nlohmann::ordered_json added_tokens;
  // The section "added_tokens" of tokenizer.json.
  const nlohmann::json* file_tokens = nullptr;
};

// The arguments about tokens. The special_tokens_map.json, the added_tokens.json and the tokens of
// tokenizer.json count only where tokenizer_config.json has no added_tokens_decoder.
struct TokenArguments {
  // By name; without a value for one that is null. Names that no file has are absent.
  std::map<std::string, absl::optional<TokenArgument>, std::less<>> named;
  // Names of the model's own, such as "image_token", in order.
  std::vector<std::pair<std::string, TokenArgument>> model_specific;
  std::vector<TokenArgument> extra;
  // By the id that a file gives.
  std::map<int64_t, TokenArgument> by_id;
};

// INVALID_ARGUMENT names the file, without its folder, and the key.
absl::StatusOr<TokenArguments> ReadTokenArguments(const TokenFiles& files);

// The tokens that a tokenizer adds when it is made, in order. `in_file`: contents of the tokens
// that it has already.
std::vector<TokenDescription> TokensToAdd(const TokenArguments& arguments,
                                          const std::vector<std::string>& in_file);

}  // namespace terminus::tokenizer
