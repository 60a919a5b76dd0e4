#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"

namespace terminus::tools::cli {
namespace {

// The server takes less; it says how much.
constexpr size_t kMaxSchemaBytes = 1 << 20;

struct GenerateOptions {
  std::string prompt;
  std::string system;
  std::vector<std::string> biases;
  std::string schema_file;
  v1::GenerateRequest request;
};

const char* ReasonName(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_REASON_STOP:
      return "stop";
    case v1::FINISH_REASON_LENGTH:
      return "length";
    case v1::FINISH_REASON_CANCELLED:
      return "cancelled";
    default:
      return "";
  }
}

void AddMessage(v1::Role role, const std::string& text, v1::GenerateRequest& request) {
  v1::Message* message = request.add_messages();
  message->set_role(role);
  message->add_parts()->set_text(text);
}

// ID=BIAS, as --logit-bias takes it.
absl::StatusOr<v1::LogitBias> ParseBias(const std::string& text) {
  const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  uint32_t token = 0;
  float value = 0;
  if (!absl::SimpleAtoi(parts.first, &token) || !absl::SimpleAtof(parts.second, &value)) {
    return UsageError(absl::StrCat("--logit-bias ", text, ": expected ID=BIAS, such as 42=-5"));
  }
  v1::LogitBias bias;
  bias.set_token_id(token);
  bias.set_bias(value);
  return bias;
}

// The options that need more than a place in the request.
absl::Status AddRest(GenerateOptions& options) {
  for (const std::string& text : options.biases) {
    TERMINUS_ASSIGN_OR_RETURN(*options.request.mutable_sampling()->add_logit_bias(),
                              ParseBias(text));
  }
  if (!options.schema_file.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(*options.request.mutable_json_schema(),
                              base::ReadFile(options.schema_file, kMaxSchemaBytes));
  }
  return absl::OkStatus();
}

// Writes the text as it comes, or all of it as JSON at the end.
absl::Status RunGenerate(const Globals& globals, GenerateOptions options) {
  if (!options.system.empty()) {
    AddMessage(v1::ROLE_SYSTEM, options.system, options.request);
  }
  AddMessage(v1::ROLE_USER, options.prompt, options.request);
  options.request.mutable_sampling()->set_choices(1);
  TERMINUS_RETURN_IF_ERROR(AddRest(options));
  std::string text;
  v1::FinishReason reason = v1::FINISH_REASON_UNSPECIFIED;
  v1::Usage usage;
  const absl::Status status =
      Client(globals).Generate(options.request, [&](const v1::GenerateResponse& message) {
        if (message.has_usage()) {
          usage = message.usage();
          return;
        }
        text += message.delta().text();
        reason = message.delta().finish_reason();
        if (!globals.json) {
          std::fputs(message.delta().text().c_str(), stdout);
          std::fflush(stdout);
        }
      });
  if (!globals.json && !text.empty()) {
    std::fputc('\n', stdout);
  }
  TERMINUS_RETURN_IF_ERROR(status);
  if (globals.json) {
    PrintJson({{"text", text},
               {"finish_reason", ReasonName(reason)},
               {"prompt_tokens", usage.prompt_tokens()},
               {"cached_prompt_tokens", usage.cached_prompt_tokens()},
               {"generated_tokens", usage.generated_tokens()}});
  }
  return absl::OkStatus();
}

void AddShapeOptions(CLI::App* generate, v1::SamplingParameters* sampling) {
  generate->add_option_function<float>(
      "--temperature", [sampling](float value) { sampling->set_temperature(value); },
      "0: always the likeliest token");
  generate->add_option_function<uint32_t>(
      "--top-k", [sampling](uint32_t value) { sampling->set_top_k(value); },
      "Keep the k likeliest tokens; 0: all");
  generate->add_option_function<float>(
      "--top-p", [sampling](float value) { sampling->set_top_p(value); },
      "Keep the likeliest tokens that sum to this probability");
  generate->add_option_function<float>(
      "--min-p", [sampling](float value) { sampling->set_min_p(value); },
      "Drop tokens below this share of the likeliest one's probability");
  generate->add_option_function<float>(
      "--repetition-penalty", [sampling](float value) { sampling->set_repetition_penalty(value); },
      "Above 1: fewer repetitions; 1: none of it");
  generate->add_option_function<float>(
      "--frequency-penalty", [sampling](float value) { sampling->set_frequency_penalty(value); },
      "Taken from a token's logit each time that the answer has it");
  generate->add_option_function<float>(
      "--presence-penalty", [sampling](float value) { sampling->set_presence_penalty(value); },
      "Taken from a token's logit once the answer has it");
  generate->add_option_function<uint64_t>(
      "--seed", [sampling](uint64_t value) { sampling->set_seed(value); },
      "Equal seeds give equal answers");
}

void AddLengthOptions(CLI::App* generate, v1::SamplingParameters* sampling) {
  generate->add_option_function<uint32_t>(
      "--max-tokens", [sampling](uint32_t value) { sampling->set_max_tokens(value); },
      "Tokens to generate at most");
  generate->add_option_function<uint32_t>(
      "--min-tokens", [sampling](uint32_t value) { sampling->set_min_tokens(value); },
      "Tokens to generate at least");
  generate->add_flag_function(
      "--ignore-eos", [sampling](int64_t) { sampling->set_ignore_eos(true); },
      "Go on behind end-of-sequence tokens");
  generate->add_option_function<std::vector<std::string>>(
      "--stop",
      [sampling](const std::vector<std::string>& stops) {
        for (const std::string& stop : stops) sampling->add_stop(stop);
      },
      "Stop before any of these texts");
  generate->add_option_function<std::vector<uint32_t>>(
      "--stop-token",
      [sampling](const std::vector<uint32_t>& tokens) {
        for (const uint32_t token : tokens) sampling->add_stop_token_ids(token);
      },
      "Stop before any of these token ids");
}

void AddFormatOptions(CLI::App* generate, const std::shared_ptr<GenerateOptions>& options) {
  CLI::Option* schema = generate->add_option("--json-schema", options->schema_file,
                                             "File of a JSON Schema that the answer has to be as");
  CLI::Option* object = generate->add_flag_function(
      "--json-object", [options](int64_t) { options->request.set_json_object(true); },
      "The answer has to be a JSON object");
  generate
      ->add_option_function<std::string>(
          "--regex", [options](const std::string& regex) { options->request.set_regex(regex); },
          "Regular expression that the whole answer has to match")
      ->excludes(schema)
      ->excludes(object);
  object->excludes(schema);
}

}  // namespace

void AddGenerateCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* generate =
      app.add_subcommand("generate", "Answer a prompt, written out as it is generated");
  auto options = std::make_shared<GenerateOptions>();
  v1::SamplingParameters* sampling = options->request.mutable_sampling();
  generate->add_option("prompt", options->prompt, "What to answer")->required();
  generate->add_option("--system", options->system, "System message before it");
  generate->add_option_function<std::string>(
      "--model", [options](const std::string& name) { options->request.set_model(name); },
      "Name of a served model (default: the cluster's)");
  AddShapeOptions(generate, sampling);
  AddLengthOptions(generate, sampling);
  generate->add_option("--logit-bias", options->biases,
                       "ID=BIAS: added to the logit of the token ID; may be repeated");
  AddFormatOptions(generate, options);
  generate->add_flag_function(
      "--allow-special-tokens",
      [options](int64_t) { options->request.set_allow_special_tokens_in_messages(true); },
      "What looks like a special token in the texts is that token");
  // The parser's callbacks hold `sampling`, which lives as long as `options`.
  generate->callback([&globals, &command, options] {
    command = [&globals, options] { return RunGenerate(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
