#include "models/decoder/generation_settings.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/collector.h"
#include "common/settings/json_file.h"
#include "models/settings/generation_config.h"

namespace terminus::models::decoder {
namespace {

using nlohmann::json;
using terminus::settings::JsonFile;

constexpr int kMaxTokens = 1 << 24;
constexpr size_t kMaxListed = 1 << 20;
// Bounds of factors, far from any that is in use, and from where float32 ends.
constexpr double kLeastFactor = 1e-30;
constexpr double kGreatestFactor = 1e6;
constexpr size_t kMaxStopStrings = 64;
constexpr size_t kMaxStopBytes = 256;

double Number(JsonFile& file, const char* key, double low, double high, double otherwise) {
  const double value = file.NumberOr(key, otherwise);
  if (!file.Has(key) || (value >= low && value <= high)) {
    return value;
  }
  file.Fault(key, absl::StrCat(value, ", expected a number from ", low, " to ", high));
  return otherwise;
}

// A number that logits are multiplied with or divided by.
float Factor(JsonFile& file, const char* key) {
  return static_cast<float>(Number(file, key, kLeastFactor, kGreatestFactor, 1));
}

bool IsToken(const json& value, int vocab_size) {
  return value.is_number_integer() && value.get<int64_t>() >= 0 &&
         value.get<int64_t>() < vocab_size;
}

// Token ids of a list, or the one that stands alone. Ids that the model does not have are left out:
// they never come.
std::vector<int32_t> Tokens(JsonFile& file, const char* key, int vocab_size, bool warn) {
  std::vector<int32_t> tokens;
  const json* value = file.Find(key);
  if (value == nullptr) {
    return tokens;
  }
  const json list = value->is_array() ? *value : json::array({*value});
  for (const json& id : list) {
    if (!id.is_number_integer()) {
      file.Fault(key, absl::StrCat(id.dump(), ", expected a token id"));
      return {};
    }
    if (IsToken(id, vocab_size)) {
      tokens.push_back(id.get<int32_t>());
    } else if (warn) {
      terminus::settings::Warn(absl::StrCat(file.path(), ": ", key, ": token ", id.dump(),
                                            " never comes, the model has ", vocab_size, " tokens"));
    }
  }
  return tokens;
}

// Of a key whose tokens are forced, so that each must be one of the model's.
std::vector<int32_t> ForcedTokens(JsonFile& file, const char* key, int vocab_size) {
  const json* value = file.Find(key);
  const std::vector<int32_t> tokens = Tokens(file, key, vocab_size, /*warn=*/false);
  const size_t expected = value == nullptr ? 0 : value->is_array() ? value->size() : 1;
  if (tokens.size() != expected || (value != nullptr && expected == 0)) {
    file.Fault(key, absl::StrCat(value->dump(), ", expected token ids below ", vocab_size));
  }
  return tokens;
}

// A list of token ids, none empty, all of the model's.
absl::optional<std::vector<int32_t>> Sequence(const json& list, int vocab_size) {
  if (!list.is_array() || list.empty()) {
    return absl::nullopt;
  }
  std::vector<int32_t> tokens;
  for (const json& id : list) {
    if (!IsToken(id, vocab_size)) {
      return absl::nullopt;
    }
    tokens.push_back(id.get<int32_t>());
  }
  return tokens;
}

// [[token ids, bias], …]; of equal sequences the last one's bias counts.
std::vector<sampling::SequenceBias> ReadSequenceBias(JsonFile& file, int vocab_size) {
  const json* list = file.Find("sequence_bias");
  if (list == nullptr) {
    return {};
  }
  std::map<std::vector<int32_t>, float> biases;
  bool good = list->is_array() && !list->empty() && list->size() <= kMaxListed;
  for (size_t i = 0; good && i < list->size(); ++i) {
    const json& entry = (*list)[i];
    good = entry.is_array() && entry.size() == 2 && entry[1].is_number();
    if (good) {
      const auto tokens = Sequence(entry[0], vocab_size);
      good = tokens.has_value();
      if (good) {
        biases[*tokens] = entry[1].get<float>();
      }
    }
  }
  if (!good) {
    file.Fault("sequence_bias",
               absl::StrCat("expected pairs of token ids below ", vocab_size, " and a number"));
    return {};
  }
  std::vector<sampling::SequenceBias> sequences;
  for (const auto& [tokens, bias] : biases) {
    sequences.push_back({tokens, bias});
  }
  return sequences;
}

// A word that is an end-of-sequence token is not bad.
std::vector<sampling::SequenceBias> ReadBadWords(JsonFile& file, const std::vector<int32_t>& eos,
                                                 int vocab_size) {
  const json* list = file.Find("bad_words_ids");
  if (list == nullptr) {
    return {};
  }
  std::map<std::vector<int32_t>, bool> words;
  bool good = list->is_array() && !list->empty() && list->size() <= kMaxListed;
  for (size_t i = 0; good && i < list->size(); ++i) {
    const auto tokens = Sequence((*list)[i], vocab_size);
    good = tokens.has_value();
    if (good &&
        (tokens->size() > 1 || std::find(eos.begin(), eos.end(), tokens->front()) == eos.end())) {
      words[*tokens] = true;
    }
  }
  if (!good) {
    file.Fault("bad_words_ids", absl::StrCat("expected lists of token ids below ", vocab_size));
    return {};
  }
  std::vector<sampling::SequenceBias> sequences;
  for (const auto& [tokens, unused] : words) {
    sequences.push_back({tokens, -std::numeric_limits<float>::infinity()});
  }
  return sequences;
}

std::vector<std::string> ReadStopStrings(JsonFile& file) {
  const json* value = file.Find("stop_strings");
  if (value == nullptr) {
    return {};
  }
  std::vector<std::string> strings;
  const json list = value->is_array() ? *value : json::array({*value});
  for (const json& stop : list) {
    const bool good = stop.is_string() && !stop.get_ref<const std::string&>().empty() &&
                      stop.get_ref<const std::string&>().size() <= kMaxStopBytes;
    if (!good || strings.size() == kMaxStopStrings) {
      file.Fault("stop_strings", absl::StrCat("expected at most ", kMaxStopStrings,
                                              " strings of 1 to ", kMaxStopBytes, " bytes"));
      return {};
    }
    strings.push_back(stop.get<std::string>());
  }
  return strings;
}

void ReadDecay(JsonFile& file, sampling::LogitRules* rules) {
  const json* value = file.Find("exponential_decay_length_penalty");
  if (value == nullptr) {
    return;
  }
  const bool good = value->is_array() && value->size() == 2 && (*value)[0].is_number_integer() &&
                    (*value)[1].is_number() && (*value)[1].get<double>() > 0;
  if (!good) {
    file.Fault("exponential_decay_length_penalty",
               absl::StrCat(value->dump(), ", expected a number of tokens and a factor above 0"));
    return;
  }
  if (rules->eos_token_ids.empty()) {
    file.Fault("exponential_decay_length_penalty", "there is no eos_token_id to apply it to");
    return;
  }
  rules->decay_start = std::clamp<int64_t>((*value)[0].get<int64_t>(), -kMaxTokens, kMaxTokens);
  rules->decay_factor = (*value)[1].get<double>();
}

// Forcing what is suppressed would rule out every token.
void CheckForced(JsonFile& file, const char* key, const std::vector<int32_t>& forced,
                 const std::vector<int32_t>& suppressed) {
  const bool all = std::all_of(forced.begin(), forced.end(), [&](int32_t token) {
    return std::find(suppressed.begin(), suppressed.end(), token) != suppressed.end();
  });
  if (!forced.empty() && all) {
    file.Fault(key, "forces only tokens that suppress_tokens rules out");
  }
}

void ReadRules(JsonFile& file, int vocab_size, sampling::LogitRules* rules) {
  rules->sequence_bias = ReadSequenceBias(file, vocab_size);
  rules->encoder_repetition_penalty = Factor(file, "encoder_repetition_penalty");
  rules->no_repeat_ngram_size =
      static_cast<int>(file.IntOr("no_repeat_ngram_size", 0, kMaxTokens, 0));
  rules->encoder_no_repeat_ngram_size =
      static_cast<int>(file.IntOr("encoder_no_repeat_ngram_size", 0, kMaxTokens, 0));
  rules->bad_words = ReadBadWords(file, rules->eos_token_ids, vocab_size);
  rules->min_length = static_cast<int>(file.IntOr("min_length", 0, kMaxTokens, 0));
  if (file.Has("min_new_tokens")) {
    rules->min_new_tokens = static_cast<int>(file.IntOr("min_new_tokens", 0, kMaxTokens, 0));
  }
  const std::vector<int32_t> bos = ForcedTokens(file, "forced_bos_token_id", vocab_size);
  if (bos.size() == 1) {
    rules->forced_bos_token_id = bos.front();
  } else if (bos.size() > 1) {
    file.Fault("forced_bos_token_id", "expected one token id");
  }
  rules->forced_eos_token_ids = ForcedTokens(file, "forced_eos_token_id", vocab_size);
  rules->remove_invalid_values = file.BoolOr("remove_invalid_values", false);
  ReadDecay(file, rules);
  rules->suppress_tokens = Tokens(file, "suppress_tokens", vocab_size, /*warn=*/true);
  rules->begin_suppress_tokens = Tokens(file, "begin_suppress_tokens", vocab_size, /*warn=*/true);
  CheckForced(file, "forced_bos_token_id", bos, rules->suppress_tokens);
  CheckForced(file, "forced_eos_token_id", rules->forced_eos_token_ids, rules->suppress_tokens);
  // The reference leaves out typical_p from 1 on, and the last two outside of 0 to 1.
  rules->top_h = Number(file, "top_h", kLeastFactor, 1, 0);
  rules->typical_p = Number(file, "typical_p", kLeastFactor, kGreatestFactor, 1);
  rules->epsilon_cutoff = Number(file, "epsilon_cutoff", -kGreatestFactor, kGreatestFactor, 0);
  rules->eta_cutoff = Number(file, "eta_cutoff", -kGreatestFactor, kGreatestFactor, 0);
}

GenerationSettings ReadAll(JsonFile& file, int vocab_size) {
  GenerationSettings settings;
  settings.sample = file.BoolOr("do_sample", false);
  settings.temperature = static_cast<float>(
      Number(file, "temperature", settings.sample ? kLeastFactor : 0, kGreatestFactor, 1));
  settings.top_k = static_cast<uint32_t>(file.IntOr("top_k", 0, kMaxTokens, 50));
  settings.top_p = static_cast<float>(Number(file, "top_p", 0, 1, 1));
  settings.min_p = static_cast<float>(Number(file, "min_p", 0, 1, 0));
  settings.repetition_penalty = Factor(file, "repetition_penalty");
  settings.max_new_tokens = static_cast<int>(file.IntOr("max_new_tokens", 1, kMaxTokens, 0));
  settings.max_length = static_cast<int>(file.IntOr("max_length", 1, kMaxTokens, 0));
  settings.stop_strings = ReadStopStrings(file);
  settings.eos_token_ids = Tokens(file, "eos_token_id", vocab_size, /*warn=*/true);
  if (const json* eos = file.Find("eos_token_id"); eos != nullptr && eos->empty()) {
    file.Fault("eos_token_id", "expected at least one token id");
  }
  settings.rules.eos_token_ids = settings.eos_token_ids;
  ReadRules(file, vocab_size, &settings.rules);
  return settings;
}

// The keys of config.json that are of generation_config.json.
absl::StatusOr<JsonFile> ReadConfig(const std::string& path) {
  TERMINUS_ASSIGN_OR_RETURN(const JsonFile config, JsonFile::Read(path));
  json generation = json::object();
  for (const auto& [key, value] : config.json().items()) {
    if (settings::kGenerationConfig.Find(key) != nullptr) {
      generation[key] = value;
    }
  }
  return JsonFile::Parse(path, generation.dump(), &settings::kGenerationConfig);
}

}  // namespace

absl::StatusOr<GenerationSettings> ReadGenerationSettings(const std::string& folder,
                                                          int vocab_size) {
  const std::string path = folder + "/generation_config.json";
  const bool own_file = std::filesystem::exists(path);
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, own_file
                                               ? JsonFile::Read(path, &settings::kGenerationConfig)
                                               : ReadConfig(folder + "/config.json"));
  GenerationSettings generation = ReadAll(file, vocab_size);
  TERMINUS_RETURN_IF_ERROR(file.status());
  if (generation.eos_token_ids.empty()) {
    terminus::settings::Warn(absl::StrCat(file.path(),
                                          ": no eos_token_id that the model has: answers end by "
                                          "their length or a stop string alone"));
  }
  return generation;
}

}  // namespace terminus::models::decoder
