#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "common/settings/json_file.h"
#include "models/bundle/decoder.h"

namespace terminus::models::bundle {
namespace {

using decoder::kKvBlockTokens;
using nlohmann::json;
using settings::JsonFile;

// Of logits that are computed in bfloat16, as on a GPU: some units of their last place.
constexpr double kBFloat16Tolerance = 0.5;

// Tokens that a stand-in is continued by.
constexpr size_t kStandInTokens = 4;

struct GoldenPrompt {
  std::string prompt;  // Empty: a stand-in, of which only `token_ids` counts.
  std::vector<int32_t> token_ids;
  std::vector<int32_t> continuation;  // Greedy.
  std::vector<double> margins;        // By how much each of them was ahead of the next best.
  std::vector<std::pair<int, double>> logits;  // Some ids', of the first one.
};

struct DecoderGoldens {
  double tolerance = 1e-2;
  std::vector<GoldenPrompt> prompts;
};

template <class T>
bool ReadList(const json& entry, const char* key, std::vector<T>* list) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array()) {
    return false;
  }
  for (const json& element : *found) {
    if (!element.is_number()) {
      return false;
    }
    list->push_back(element.get<T>());
  }
  return true;
}

absl::StatusOr<GoldenPrompt> ReadPrompt(const json& entry, int vocab_size) {
  GoldenPrompt golden;
  const absl::Status bad = absl::InvalidArgumentError(
      "expected \"prompt\", \"token_ids\", as many \"margins\" as \"continuation\", and pairs of "
      "id and value in \"logits\"");
  if (!entry.is_object() || !entry.value("prompt", json()).is_string() ||
      !entry.value("logits", json()).is_array() ||
      !ReadList(entry, "token_ids", &golden.token_ids) ||
      !ReadList(entry, "continuation", &golden.continuation) ||
      !ReadList(entry, "margins", &golden.margins) || golden.token_ids.empty() ||
      golden.continuation.empty() || golden.margins.size() != golden.continuation.size()) {
    return bad;
  }
  golden.prompt = entry["prompt"].get<std::string>();
  for (const json& pair : entry["logits"]) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_integer() ||
        !pair[1].is_number() || pair[0].get<int64_t>() < 0 ||
        pair[0].get<int64_t>() >= vocab_size) {
      return bad;
    }
    golden.logits.emplace_back(pair[0].get<int>(), pair[1].get<double>());
  }
  return golden;
}

absl::StatusOr<DecoderGoldens> ReadDecoderGoldens(const std::string& path, int vocab_size) {
  DecoderGoldens goldens;
  if (path.empty()) {
    return goldens;
  }
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Read(path));
  JsonFile section = file.Object("decoder");
  goldens.tolerance = section.NumberOr("tolerance", goldens.tolerance);
  if (!(goldens.tolerance > 0)) {
    section.Fault("tolerance", "expected a number above 0");
  }
  for (const json& entry : section.json().value("prompts", json::array())) {
    auto golden = ReadPrompt(entry, vocab_size);
    if (!golden.ok()) {
      section.Fault(absl::StrCat("prompts[", goldens.prompts.size(), "]"),
                    std::string(golden.status().message()));
      break;
    }
    goldens.prompts.push_back(*std::move(golden));
  }
  file.Adopt("decoder", section);
  TERMINUS_RETURN_IF_ERROR(file.status());
  return goldens;
}

// For a model without goldens of its own: prompts of different lengths.
std::vector<GoldenPrompt> StandInPrompts(int vocab_size) {
  std::vector<GoldenPrompt> prompts;
  for (const int length : {1, kKvBlockTokens + 1, 5}) {
    GoldenPrompt golden;
    for (int i = 0; i < length; ++i) {
      golden.token_ids.push_back((7 * i + 3) % vocab_size);
    }
    prompts.push_back(std::move(golden));
  }
  return prompts;
}

// What came of a prompt.
struct Continuation {
  std::vector<int32_t> ids;
  std::vector<double> margins;
  std::vector<float> logits;  // [vocab], of the first of them.

  void Append(absl::Span<const float> values) {
    if (ids.empty()) {
      logits.assign(values.begin(), values.end());
    }
    const auto best = std::max_element(values.begin(), values.end());
    ids.push_back(static_cast<int32_t>(best - values.begin()));
    float second = -std::numeric_limits<float>::infinity();
    for (auto other = values.begin(); other != values.end(); ++other) {
      second = other == best ? second : std::max(second, *other);
    }
    margins.push_back(*best - second);
  }
};

// A step over the new tokens of several sequences, whose blocks follow one another.
class Step {
 public:
  void Add(absl::Span<const int32_t> tokens, int cached, int first_block) {
    for (size_t i = cached; i < tokens.size(); ++i) {
      ids_.push_back(tokens[i]);
      positions_.push_back(static_cast<int32_t>(i));
    }
    query_indptr_.push_back(static_cast<int32_t>(ids_.size()));
    const int length = static_cast<int>(tokens.size());
    const int blocks = (length + kKvBlockTokens - 1) / kKvBlockTokens;
    for (int i = 0; i < blocks; ++i) {
      indices_.push_back(first_block + i);
    }
    indptr_.push_back(static_cast<int32_t>(indices_.size()));
    last_.push_back(length - (blocks - 1) * kKvBlockTokens);
    wanted_.push_back(static_cast<int32_t>(ids_.size()) - 1);
  }

  decoder::StepInput input() const {
    return {.token_ids = ids_,
            .positions = positions_,
            .query_indptr = query_indptr_,
            .kv = {.indptr = indptr_, .indices = indices_, .last_page_len = last_},
            .logits_tokens = wanted_};
  }

 private:
  std::vector<int32_t> ids_, positions_, query_indptr_ = {0}, indptr_ = {0}, indices_, last_,
                                         wanted_;
};

// Continues prompts together, each by as many tokens as its golden has.
absl::StatusOr<std::vector<Continuation>> Continue(decoder::CausalLm& lm,
                                                   absl::Span<const GoldenPrompt> prompts) {
  std::vector<std::vector<int32_t>> tokens;
  std::vector<int> first_blocks;
  std::vector<size_t> counts;
  int blocks = 0;
  for (const GoldenPrompt& prompt : prompts) {
    tokens.push_back(prompt.token_ids);
    counts.push_back(prompt.continuation.empty() ? kStandInTokens : prompt.continuation.size());
    first_blocks.push_back(blocks);
    const size_t length = prompt.token_ids.size() + counts.back();
    if (length > static_cast<size_t>(lm.max_context())) {
      return absl::FailedPreconditionError(
          absl::StrCat("a golden prompt takes ", length, " tokens, the model ", lm.max_context()));
    }
    blocks += static_cast<int>((length + kKvBlockTokens - 1) / kKvBlockTokens);
  }
  if (blocks > lm.kv_blocks()) {
    return absl::ResourceExhaustedError(absl::StrCat("checking the language model takes ", blocks,
                                                     " KV blocks, there are ", lm.kv_blocks()));
  }
  std::vector<Continuation> out(prompts.size());
  for (;;) {
    Step step;
    std::vector<size_t> running;
    for (size_t i = 0; i < prompts.size(); ++i) {
      if (out[i].ids.size() < counts[i]) {
        const size_t cached = out[i].ids.empty() ? 0 : tokens[i].size() - 1;
        step.Add(tokens[i], static_cast<int>(cached), first_blocks[i]);
        running.push_back(i);
      }
    }
    if (running.empty()) {
      return out;
    }
    TERMINUS_ASSIGN_OR_RETURN(const decoder::Logits logits, lm.Forward(step.input()));
    for (size_t row = 0; row < running.size(); ++row) {
      const size_t i = running[row];
      out[i].Append(logits.values.subspan(row * logits.vocab_size, logits.vocab_size));
      tokens[i].push_back(out[i].ids.back());
    }
  }
}

// `how` says in which company it was computed.
absl::Status Compare(const GoldenPrompt& golden, const Continuation& made, double tolerance,
                     const char* how, double* largest) {
  for (const auto& [id, expected] : golden.logits) {
    const double difference = std::abs(made.logits[id] - expected);
    *largest = difference <= *largest ? *largest : difference;
    if (!(difference <= tolerance)) {
      return absl::DataLossError(absl::StrCat("golden prompt \"", golden.prompt, "\" ", how,
                                              ": the logit of token ", id, " is off by ",
                                              difference, ", tolerance ", tolerance));
    }
  }
  for (size_t i = 0; i < golden.continuation.size(); ++i) {
    if (made.ids[i] == golden.continuation[i]) {
      continue;
    }
    // From a near tie on, both are right and no longer comparable.
    if (golden.margins[i] <= 2 * tolerance) {
      break;
    }
    return absl::DataLossError(absl::StrCat("golden prompt \"", golden.prompt, "\" ", how,
                                            ": token ", i, " is ", made.ids[i], ", expected ",
                                            golden.continuation[i], ", which was ahead by ",
                                            golden.margins[i], ", tolerance ", tolerance));
  }
  return absl::OkStatus();
}

// What alone came of a stand-in becomes its golden.
void Adopt(const Continuation& made, GoldenPrompt* golden) {
  golden->prompt = absl::StrCat("stand-in of ", golden->token_ids.size(), " tokens");
  golden->continuation = made.ids;
  golden->margins = made.margins;
  for (size_t id = 0; id < made.logits.size(); ++id) {
    golden->logits.emplace_back(static_cast<int>(id), made.logits[id]);
  }
}

absl::Status CheckTokens(const GoldenPrompt& golden, const tokenizer::Tokenizer& tokenizer) {
  TERMINUS_ASSIGN_OR_RETURN(const tokenizer::Encoding encoding, tokenizer.Encode(golden.prompt));
  if (encoding.ids == golden.token_ids) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("golden prompt \"", golden.prompt, "\" is tokenized as ",
                                          absl::StrJoin(encoding.ids, " "), ", expected ",
                                          absl::StrJoin(golden.token_ids, " ")));
}

absl::Status Verify(DecoderGoldens goldens, DecoderModel& model, VerifyReport* report) {
  const double tolerance =
      model.device == "cpu" ? goldens.tolerance : std::max(goldens.tolerance, kBFloat16Tolerance);
  report->tolerance = tolerance;
  for (GoldenPrompt& golden : goldens.prompts) {
    TERMINUS_ASSIGN_OR_RETURN(const auto alone, Continue(*model.lm, {&golden, 1}));
    Comparison& found = report->comparisons.emplace_back();
    found.golden = !golden.prompt.empty();
    if (golden.prompt.empty()) {
      Adopt(alone[0], &golden);
    } else {
      TERMINUS_RETURN_IF_ERROR(CheckTokens(golden, *model.tokenizer));
    }
    found.input = golden.prompt;
    TERMINUS_RETURN_IF_ERROR(Compare(golden, alone[0], tolerance, "alone", &found.alone));
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto together, Continue(*model.lm, goldens.prompts));
  for (size_t i = 0; i < together.size(); ++i) {
    TERMINUS_RETURN_IF_ERROR(Compare(goldens.prompts[i], together[i], tolerance, "in a batch",
                                     &report->comparisons[i].batched));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Continued> ContinueGreedily(DecoderModel& model,
                                           const std::vector<int32_t>& token_ids, int count) {
  const std::vector<GoldenPrompt> prompts = {
      {.prompt = "",
       .token_ids = token_ids,
       .continuation = std::vector<int32_t>(static_cast<size_t>(count)),
       .margins = {},
       .logits = {}}};
  Continued continued;
  TERMINUS_RETURN_IF_ERROR(executor::RunGuarded([&]() -> absl::Status {
    TERMINUS_ASSIGN_OR_RETURN(std::vector<Continuation> made, Continue(*model.lm, prompts));
    continued = {.token_ids = std::move(made[0].ids), .logits = std::move(made[0].logits)};
    return absl::OkStatus();
  }));
  return continued;
}

absl::Status VerifyDecoder(const BundleManifest& manifest, DecoderModel& model,
                           VerifyReport* report) {
  VerifyReport unread;
  if (report == nullptr) report = &unread;
  TERMINUS_ASSIGN_OR_RETURN(DecoderGoldens goldens,
                            ReadDecoderGoldens(manifest.golden_path, model.lm->vocab_size()));
  if (goldens.prompts.empty()) {
    goldens.prompts = StandInPrompts(model.lm->vocab_size());
  }
  return executor::RunGuarded([&] { return Verify(std::move(goldens), model, report); });
}

}  // namespace terminus::models::bundle
