#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"
#include "tools/cli/image_files.h"
#include "tools/cli/table.h"

namespace terminus::tools::cli {
namespace {

struct ActOptions {
  std::string video;
  v1::RecognizeRequest request;
  double start_s = -1;
  double end_s = -1;
};

std::string Seconds(int64_t us) { return absl::StrFormat("%.2f", static_cast<double>(us) / 1e6); }

absl::Status RunAct(const Globals& globals, ActOptions options) {
  v1::Video* video = options.request.mutable_video();
  TERMINUS_ASSIGN_OR_RETURN(*video->mutable_data(),
                            base::ReadFile(options.video, kMaxImageFileBytes));
  if (options.start_s >= 0) video->set_start_us(static_cast<int64_t>(options.start_s * 1e6));
  if (options.end_s >= 0) video->set_end_us(static_cast<int64_t>(options.end_s * 1e6));
  TERMINUS_ASSIGN_OR_RETURN(const v1::RecognizeResponse response,
                            Client(globals).Recognize(options.request));
  if (globals.json) {
    nlohmann::json json = {{"frames", response.frames()}, {"actions", nlohmann::json::array()}};
    for (const v1::RecognizedAction& action : response.actions()) {
      json["actions"].push_back({{"label", action.label()},
                                 {"score", action.score()},
                                 {"start_us", action.start_us()},
                                 {"end_us", action.end_us()}});
    }
    PrintJson(json);
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {{"score", "from s", "to s", "label"}};
  for (const v1::RecognizedAction& action : response.actions()) {
    rows.push_back({absl::StrFormat("%.3f", action.score()), Seconds(action.start_us()),
                    Seconds(action.end_us()), action.label()});
  }
  std::fputs(FormatTable(rows).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddActCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* act = app.add_subcommand("act", "Say which of some labels a video shows, and when");
  auto options = std::make_shared<ActOptions>();
  act->add_option("video", options->video, "Video file: MP4, WebM or GIF")->required();
  act->add_option_function<std::vector<std::string>>(
         "--label",
         [options](const std::vector<std::string>& labels) {
           for (const std::string& label : labels) options->request.add_labels(label);
         },
         "Labels to choose from")
      ->required();
  act->add_option_function<uint32_t>(
      "--top", [options](uint32_t value) { options->request.set_top_k(value); },
      "Labels to show (default: 5)");
  act->add_option_function<int32_t>(
      "--frames", [options](int32_t value) { options->request.mutable_video()->set_frames(value); },
      "Frames to look at (default: the model's own number)");
  act->add_option("--from", options->start_s, "Second to begin at")->check(CLI::NonNegativeNumber);
  act->add_option("--to", options->end_s, "Second to end at")->check(CLI::NonNegativeNumber);
  act->add_option_function<std::string>(
      "--model", [options](const std::string& name) { options->request.set_model(name); },
      "Name of a served model (default: the cluster's)");
  act->callback([&globals, &command, options] {
    command = [&globals, options] { return RunAct(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
