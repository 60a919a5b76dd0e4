// Checks the models of a folder: `terminus model inspect` and `terminus model verify`.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/types/optional.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "tools/verify/answers.h"
#include "tools/verify/inspect_folder.h"
#include "tools/verify/verify_folder.h"

namespace terminus::tools::verify {
namespace {

constexpr size_t kMaxInputBytes = 16 << 20;

struct Flags {
  std::string folder;
  Options options;
  bool inspect = false;
  bool compute = false;
  bool json = false;
  std::string against;
  std::string python;
  std::string inputs;
};

void Print(const std::string& text) { std::fputs(text.c_str(), stdout); }

void PrintError(const absl::Status& status) {
  std::fprintf(stderr, "terminus: %s\n", std::string(status.message()).c_str());
}

int Verify(const Flags& flags) {
  const auto checked = VerifyFolder(flags.folder, flags.options);
  if (!checked.ok()) {
    PrintError(checked.status());
    return 1;
  }
  Print(flags.json ? FormatJson(flags.folder, *checked) : FormatText(*checked));
  return AllGood(*checked) ? 0 : 1;
}

int Inspect(const Flags& flags) {
  const Inspection inspection = InspectFolder(flags.folder);
  absl::optional<std::vector<Checked>> computed;
  if (flags.compute && AllGood(inspection)) {
    auto checked = VerifyFolder(flags.folder, flags.options);
    if (!checked.ok()) {
      PrintError(checked.status());
      return 1;
    }
    computed = *std::move(checked);
  }
  const std::vector<Checked>* const answer = computed ? &*computed : nullptr;
  Print(flags.json ? FormatJson(inspection, answer) : FormatText(inspection, answer));
  return AllGood(inspection) && (answer == nullptr || AllGood(*answer)) ? 0 : 1;
}

// Prints the answers to the inputs of a file, for the script that compares them.
int PrintAnswers(const Flags& flags) {
  const auto text = base::ReadFile(flags.inputs, kMaxInputBytes);
  if (!text.ok()) {
    PrintError(text.status());
    return 1;
  }
  const auto answers =
      Answer(flags.folder, nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false),
             flags.options);
  if (!answers.ok()) {
    PrintError(answers.status());
    return 1;
  }
  Print(answers->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return 0;
}

int Compare(const Flags& flags) {
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  PrintError(CompareWithTransformers(flags.folder, self, flags.python, flags.options, flags.json));
  return 1;
}

int Run(const Flags& flags) {
  if (!flags.against.empty()) return Compare(flags);
  if (!flags.inputs.empty()) return PrintAnswers(flags);
  return flags.inspect ? Inspect(flags) : Verify(flags);
}

int Main(int argc, char** argv) {
  // Log lines must not come into the answer.
  base::InitLog("terminus-verify", "warn");
  CLI::App app("Check the models of a folder", "terminus-verify");
  Flags flags;
  app.add_option("folder", flags.folder, "A bundle or a model's folder")->required();
  app.add_flag("--inspect", flags.inspect, "Make the checks of a load without reading weights");
  app.add_flag("--compute", flags.compute, "With --inspect: then load the models and verify them");
  app.add_option("--device", flags.options.device, "cpu, cuda:N or auto");
  app.add_option("--threads", flags.options.threads, "Compute threads; 0: all cores")
      ->check(CLI::Range(0, 1024));
  app.add_flag("--json", flags.json, "Print one line of JSON");
  app.add_option("--against", flags.against, "Compare with another implementation")
      ->check(CLI::IsMember({"transformers"}));
  app.add_option("--python", flags.python, "With --against: a Python that has it");
  app.add_option("--answer", flags.inputs, "Print the answers to a file of inputs, as JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return Run(flags);
}

}  // namespace
}  // namespace terminus::tools::verify

int main(int argc, char** argv) { return terminus::tools::verify::Main(argc, argv); }
