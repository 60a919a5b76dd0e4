#include "tools/verify/answers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/media/decode.h"
#include "models/bundle/bundle.h"
#include "models/bundle/decoder.h"
#include "tools/verify/against_transformers.h"

namespace terminus::tools::verify {
namespace {

namespace bundle = models::bundle;
using nlohmann::json;

constexpr size_t kMaxImageBytes = 20 << 20;
constexpr int kDefaultTokens = 8;

json ErrorOf(const absl::Status& status) { return {{"error", std::string(status.message())}}; }

json VectorOf(const absl::StatusOr<executor::Embeddings>& embeddings) {
  return embeddings.ok() ? json{{"vector", embeddings->values}} : ErrorOf(embeddings.status());
}

json AnswerText(const bundle::TextModel& model, const std::string& text) {
  const auto encoding =
      model.tokenizer->Encode(text, static_cast<size_t>(std::max(0, model.max_tokens)));
  if (!encoding.ok()) return ErrorOf(encoding.status());
  json answer = VectorOf(model.encoder->Encode({.token_ids = {encoding->ids}}));
  answer["token_ids"] = encoding->ids;
  return answer;
}

json AnswerImage(const bundle::VisionModel& model, const std::string& path) {
  const auto bytes = base::ReadFile(path, kMaxImageBytes);
  if (!bytes.ok()) return ErrorOf(bytes.status());
  const auto image = media::DecodeImage(*bytes, {}, model.preprocessor->conversion());
  if (!image.ok()) return ErrorOf(image.status());
  const media::Image ready = model.preprocessor->Run(*image);
  executor::ImageBatch batch{
      .count = 1, .height = model.preprocessor->height(), .width = model.preprocessor->width()};
  batch.pixels.assign(ready.rgb.begin(), ready.rgb.end());
  return VectorOf(model.encoder->Encode(batch));
}

json AnswerPrompt(bundle::DecoderModel& model, const std::string& prompt, int tokens) {
  const auto encoding = model.tokenizer->Encode(prompt);
  if (!encoding.ok()) return ErrorOf(encoding.status());
  const auto continued = bundle::ContinueGreedily(model, encoding->ids, tokens);
  if (!continued.ok()) return ErrorOf(continued.status());
  return {{"token_ids", encoding->ids},
          {"continuation", continued->token_ids},
          {"logits", continued->logits}};
}

// The strings of a list; nothing where there is none.
std::vector<std::string> StringsOf(const json& inputs, const char* key) {
  std::vector<std::string> strings;
  const json list = inputs.value(key, json::array());
  for (const json& entry : list) {
    if (entry.is_string()) strings.push_back(entry.get<std::string>());
  }
  return strings;
}

}  // namespace

absl::StatusOr<json> Answer(const std::string& folder, const json& inputs, const Options& options) {
  if (!inputs.is_object()) {
    return absl::InvalidArgumentError("inputs: expected a JSON object");
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto manifest, bundle::ReadManifest(folder, /*identify=*/false));
  const bundle::DeviceOptions device{
      .device = options.device, .precision = "float32", .threads = options.threads};
  json answer = json::object();
  if (manifest.text) {
    TERMINUS_ASSIGN_OR_RETURN(const bundle::TextModel model, bundle::LoadText(manifest, device));
    answer["texts"] = json::array();
    for (const std::string& text : StringsOf(inputs, "texts")) {
      answer["texts"].push_back(AnswerText(model, text));
    }
  }
  if (manifest.vision) {
    TERMINUS_ASSIGN_OR_RETURN(const bundle::VisionModel model,
                              bundle::LoadVision(manifest, device));
    answer["images"] = json::array();
    for (const std::string& path : StringsOf(inputs, "images")) {
      answer["images"].push_back(AnswerImage(model, path));
    }
  }
  if (manifest.decoder) {
    TERMINUS_ASSIGN_OR_RETURN(
        bundle::DecoderModel model,
        bundle::LoadDecoder(manifest, {.device = options.device, .threads = options.threads}));
    answer["prompts"] = json::array();
    const json tokens = inputs.value("tokens", json(kDefaultTokens));
    for (const std::string& prompt : StringsOf(inputs, "prompts")) {
      answer["prompts"].push_back(AnswerPrompt(
          model, prompt, tokens.is_number_integer() ? tokens.get<int>() : kDefaultTokens));
    }
  }
  return answer;
}

absl::Status CompareWithTransformers(const std::string& folder, const std::string& program,
                                     const std::string& python, const Options& options, bool json) {
  const char* const chosen = std::getenv("TERMINUS_PYTHON");
  std::string interpreter = !python.empty() ? python : chosen != nullptr ? chosen : "python3";
  std::vector<std::string> words = {interpreter, "-c",       kAgainstTransformers, "--program",
                                    program,     "--device", options.device};
  if (json) words.emplace_back("--json");
  words.insert(words.end(), {"--", folder});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  return absl::NotFoundError(absl::StrCat(
      "cannot run ", interpreter, ": ", std::strerror(errno),
      "; the comparison needs a Python with torch and transformers: name it with --python or in "
      "TERMINUS_PYTHON"));
}

}  // namespace terminus::tools::verify
