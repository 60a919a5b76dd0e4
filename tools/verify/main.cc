// Loads the models of a folder and runs their readiness checks: `terminus model verify`.

#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/base/log.h"
#include "tools/verify/verify_folder.h"

namespace terminus::tools::verify {
namespace {

int Main(int argc, char** argv) {
  // What is logged must not come into the answer.
  base::InitLog("terminus-verify", "warn");
  CLI::App app("Load the models of a folder and check what they compute", "terminus-verify");
  std::string folder;
  Options options;
  bool json = false;
  app.add_option("folder", folder, "A bundle or a model's folder")->required();
  app.add_option("--device", options.device, "cpu, cuda:N or auto");
  app.add_option("--threads", options.threads, "Compute threads; 0: all cores")
      ->check(CLI::Range(0, 1024));
  app.add_flag("--json", json, "Print one line of JSON");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto checked = VerifyFolder(folder, options);
  if (!checked.ok()) {
    std::fprintf(stderr, "terminus: %s\n", std::string(checked.status().message()).c_str());
    return 1;
  }
  std::fputs((json ? FormatJson(folder, *checked) : FormatText(*checked)).c_str(), stdout);
  return AllGood(*checked) ? 0 : 1;
}

}  // namespace
}  // namespace terminus::tools::verify

int main(int argc, char** argv) { return terminus::tools::verify::Main(argc, argv); }
