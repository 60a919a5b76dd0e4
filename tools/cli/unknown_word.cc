#include "tools/cli/unknown_word.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/nearest.h"

namespace terminus::tools::cli {
namespace {

// The named commands from the whole program down to the innermost, such as [terminus, model, load].
std::vector<const CLI::App*> NamedCommands(const CLI::App& app) {
  std::vector<const CLI::App*> named = {&app};
  while (!named.back()->get_subcommands().empty()) {
    named.push_back(named.back()->get_subcommands().front());
  }
  return named;
}

std::string WithNearest(const std::string& what, const std::string& word,
                        const std::vector<std::string>& known) {
  const std::string nearest = base::Nearest(word, known);
  return absl::StrCat("unknown ", what, " '", word, "'",
                      nearest.empty() ? "" : absl::StrCat("; the nearest is '", nearest, "'"));
}

}  // namespace

std::string DescribeUnknownWord(const CLI::App& app) {
  const std::vector<std::string> left_over = app.remaining(/*recurse=*/true);
  if (left_over.empty()) {
    return "";
  }
  const std::string& word = left_over.front();
  const std::vector<const CLI::App*> named = NamedCommands(app);
  std::vector<std::string> known;
  if (absl::StartsWith(word, "-")) {
    // Options of the outer commands may stand behind the inner one's name.
    for (const CLI::App* command : named) {
      for (const CLI::Option* option : command->get_options()) {
        for (const std::string& name : option->get_lnames()) {
          known.push_back(absl::StrCat("--", name));
        }
      }
    }
    return WithNearest("option", word.substr(0, word.find('=')), known);
  }
  for (const CLI::App* command : named.back()->get_subcommands(nullptr)) {
    known.push_back(command->get_name());
  }
  return known.empty() ? absl::StrCat("unexpected argument '", word, "'")
                       : WithNearest("command", word, known);
}

}  // namespace terminus::tools::cli
