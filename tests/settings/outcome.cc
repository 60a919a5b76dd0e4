#include "tests/settings/outcome.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "common/media/decode.h"
#include "models/bundle/bundle.h"
#include "models/bundle/decoder.h"
#include "models/bundle/manifest.h"
#include "models/decoder/kv_view.h"
#include "models/sampling/logits.h"

namespace terminus::settings_test {
namespace {

using models::bundle::BundleManifest;
using models::bundle::DecoderModel;
using nlohmann::json;
namespace sampling = models::sampling;

// Elements that the goldens keep of a vector, evenly chosen.
constexpr size_t kKept = 6;
constexpr double kTolerance = 1e-4;
constexpr int kNewTokens = 6;
constexpr int kKvBlocks = 16;
constexpr size_t kMaxImageBytes = 1 << 20;
const models::bundle::DeviceOptions kOnCpu{.device = "cpu", .precision = "float32", .threads = 1};

void Append(const executor::Embeddings& embeddings, Outcome* outcome) {
  for (int i = 0; i < embeddings.count; ++i) {
    const auto row = embeddings.values.begin() + static_cast<int64_t>(i) * embeddings.dimension;
    outcome->vectors.emplace_back(row, row + embeddings.dimension);
  }
}

absl::Status EncodeTexts(const BundleManifest& manifest, const json& golden, Outcome* outcome) {
  TERMINUS_ASSIGN_OR_RETURN(const auto model, models::bundle::LoadText(manifest, kOnCpu));
  std::vector<std::string> texts;
  for (const json& text : golden["texts"]) {
    texts.push_back(model.default_prompt + text.get<std::string>());
  }
  for (const auto& [name, prompt] : model.prompts) {
    if (!prompt.empty()) {
      for (const json& text : golden["prompted"]) {
        texts.push_back(prompt + text.get<std::string>());
      }
    }
  }
  executor::TextBatch batch;
  for (const std::string& text : texts) {
    TERMINUS_ASSIGN_OR_RETURN(auto encoding, model.tokenizer->Encode(text, model.max_tokens));
    outcome->max_tokens = model.max_tokens;
    if (encoding.truncated) {
      outcome->cut_by = model.max_tokens_source;
    }
    batch.token_ids.push_back(std::move(encoding.ids));
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto embeddings, model.encoder->Encode(batch));
  Append(embeddings, outcome);
  return absl::OkStatus();
}

absl::Status EncodePictures(const BundleManifest& manifest, const json& golden, Outcome* outcome) {
  TERMINUS_ASSIGN_OR_RETURN(const auto model, models::bundle::LoadVision(manifest, kOnCpu));
  executor::ImageBatch batch{.count = static_cast<int>(golden["pictures"].size()),
                             .height = model.preprocessor->height(),
                             .width = model.preprocessor->width()};
  for (const json& name : golden["pictures"]) {
    TERMINUS_ASSIGN_OR_RETURN(
        const std::string bytes,
        base::ReadFile("tests/golden/media/" + name.get<std::string>(), kMaxImageBytes));
    TERMINUS_ASSIGN_OR_RETURN(const media::Image image,
                              media::DecodeImage(bytes, {}, model.preprocessor->conversion()));
    const media::Image ready = model.preprocessor->Run(image);
    batch.pixels.insert(batch.pixels.end(), ready.rgb.begin(), ready.rgb.end());
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto embeddings, model.encoder->Encode(batch));
  Append(embeddings, outcome);
  return absl::OkStatus();
}

// The logits behind all of `ids`.
absl::StatusOr<std::vector<float>> Logits(DecoderModel& model, const std::vector<int32_t>& ids) {
  const auto count = static_cast<int32_t>(ids.size());
  constexpr int kBlock = models::decoder::kKvBlockTokens;
  std::vector<int32_t> positions(ids.size());
  std::iota(positions.begin(), positions.end(), 0);
  std::vector<int32_t> blocks((count + kBlock - 1) / kBlock);
  std::iota(blocks.begin(), blocks.end(), 0);
  const std::vector<int32_t> queries = {0, count};
  const std::vector<int32_t> tables = {0, static_cast<int32_t>(blocks.size())};
  const std::vector<int32_t> last = {count - (static_cast<int32_t>(blocks.size()) - 1) * kBlock};
  const std::vector<int32_t> wanted = {count - 1};
  TERMINUS_ASSIGN_OR_RETURN(
      const auto logits,
      model.lm->Forward({.token_ids = ids,
                         .positions = positions,
                         .query_indptr = queries,
                         .kv = {.indptr = tables, .indices = blocks, .last_page_len = last},
                         .logits_tokens = wanted}));
  return std::vector<float>(logits.values.begin(), logits.values.end());
}

// What greedily follows `prompt`, with the rules of the folder.
absl::StatusOr<std::vector<int32_t>> Answer(DecoderModel& model, const std::vector<int32_t>& prompt,
                                            std::vector<float> logits) {
  const auto& generation = model.generation;
  const auto prompt_length = static_cast<int>(prompt.size());
  sampling::Parameters parameters;
  parameters.repetition_penalty = generation.repetition_penalty;
  std::vector<int32_t> ids = prompt;
  while (true) {
    sampling::ProcessLogits(generation.rules, parameters,
                            {.tokens = ids,
                             .length = static_cast<int>(ids.size()),
                             .prompt_length = prompt_length,
                             .max_length = prompt_length + kNewTokens},
                            absl::MakeSpan(logits));
    const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
    ids.push_back(static_cast<int32_t>(best));
    const auto& ends = generation.eos_token_ids;
    if (ids.size() == prompt.size() + kNewTokens ||
        std::find(ends.begin(), ends.end(), ids.back()) != ends.end()) {
      return std::vector<int32_t>(ids.begin() + prompt_length, ids.end());
    }
    TERMINUS_ASSIGN_OR_RETURN(logits, Logits(model, ids));
  }
}

absl::Status Continue(const BundleManifest& manifest, const json& golden, Outcome* outcome) {
  TERMINUS_ASSIGN_OR_RETURN(
      DecoderModel model,
      models::bundle::LoadDecoder(manifest, {.device = "cpu",
                                             .threads = 1,
                                             .kv_blocks = kKvBlocks,
                                             .dtype = models::decoder::ComputeDType::kFloat32}));
  outcome->sampling = model.generation.sample;
  for (const json& prompt : golden["prompts"]) {
    TERMINUS_ASSIGN_OR_RETURN(const auto encoding,
                              model.tokenizer->Encode(prompt.get<std::string>()));
    // As a service does, which answers no prompt beyond the context.
    if (static_cast<int>(encoding.ids.size()) + kNewTokens > model.lm->max_context()) {
      return absl::InvalidArgumentError(
          absl::StrCat("longer than the context of ", model.lm->max_context(),
                       " tokens, which max_position_embeddings sets, or "
                       "original_max_position_embeddings of longrope"));
    }
    TERMINUS_ASSIGN_OR_RETURN(const std::vector<float> logits, Logits(model, encoding.ids));
    outcome->vectors.push_back(logits);
    if (!model.generation.sample) {
      TERMINUS_ASSIGN_OR_RETURN(auto ids, Answer(model, encoding.ids, logits));
      outcome->ids.push_back(std::move(ids));
    }
  }
  return absl::OkStatus();
}

// Whether the sampled elements are the expected ones.
bool IsClose(const std::vector<float>& vector, const json& expected) {
  if (std::min(kKept, vector.size()) != expected.size()) {
    return false;
  }
  const double step = expected.size() > 1 ? (vector.size() - 1.0) / (expected.size() - 1) : 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double wanted = expected[i];
    const double got = vector[static_cast<size_t>(static_cast<double>(i) * step)];
    if (!(std::abs(got - wanted) <= kTolerance * std::max(1.0, std::abs(wanted)))) {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::StatusOr<Outcome> RunFolder(const json& golden, const std::string& folder) {
  Outcome outcome;
  TERMINUS_RETURN_IF_ERROR(executor::RunGuarded([&]() -> absl::Status {
    TERMINUS_ASSIGN_OR_RETURN(const BundleManifest manifest, models::bundle::ReadManifest(folder));
    if (golden.contains("texts")) {
      TERMINUS_RETURN_IF_ERROR(EncodeTexts(manifest, golden, &outcome));
    }
    if (golden.contains("pictures")) {
      TERMINUS_RETURN_IF_ERROR(EncodePictures(manifest, golden, &outcome));
    }
    if (golden.contains("prompts")) {
      TERMINUS_RETURN_IF_ERROR(Continue(manifest, golden, &outcome));
    }
    return absl::OkStatus();
  }));
  return outcome;
}

std::string Difference(const json& expected, const Outcome& outcome) {
  const json& vectors = expected["vectors"];
  if (vectors.size() != outcome.vectors.size()) {
    return absl::StrCat(outcome.vectors.size(), " vectors, expected ", vectors.size());
  }
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (!IsClose(outcome.vectors[i], vectors[i])) {
      return absl::StrCat("vector ", i, " (of ", outcome.vectors[i].size(),
                          " elements) is not what the reference makes");
    }
  }
  if (expected.value("sampling", false) != outcome.sampling) {
    return outcome.sampling ? "tokens are drawn" : "tokens are not drawn";
  }
  if (expected.contains("ids") && json(outcome.ids) != expected["ids"]) {
    return absl::StrCat("continuations ", json(outcome.ids).dump(), ", expected ",
                        expected["ids"].dump());
  }
  return "";
}

}  // namespace terminus::settings_test
