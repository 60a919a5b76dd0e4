#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"

namespace terminus::tools::cli {
namespace {

struct GenerateOptions {
  std::string prompt;
  std::string system;
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

// Writes the text as it comes, or all of it as JSON at the end.
absl::Status RunGenerate(const Globals& globals, GenerateOptions options) {
  if (!options.system.empty()) {
    AddMessage(v1::ROLE_SYSTEM, options.system, options.request);
  }
  AddMessage(v1::ROLE_USER, options.prompt, options.request);
  options.request.mutable_sampling()->set_choices(1);
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
  generate->add_option_function<uint32_t>(
      "--max-tokens", [sampling](uint32_t value) { sampling->set_max_tokens(value); },
      "Tokens to generate at most");
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
  generate->add_flag_function(
      "--allow-special-tokens",
      [options](int64_t) { options->request.set_allow_special_tokens_in_messages(true); },
      "What looks like a special token in the texts is that token");
  generate->add_option_function<uint64_t>(
      "--seed", [sampling](uint64_t value) { sampling->set_seed(value); },
      "Equal seeds give equal answers");
  generate->add_option_function<std::vector<std::string>>(
      "--stop",
      [sampling](const std::vector<std::string>& stops) {
        for (const std::string& stop : stops) sampling->add_stop(stop);
      },
      "Stop before any of these texts");
  // The parser's callbacks hold `sampling`, which lives as long as `options`.
  generate->callback([&globals, &command, options] {
    command = [&globals, options] { return RunGenerate(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
