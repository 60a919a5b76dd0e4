#include <cstdio>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"
#include "tools/cli/image_files.h"
#include "tools/cli/table.h"

namespace terminus::tools::cli {
namespace {

struct ScoreOptions {
  std::string query;
  std::vector<std::string> texts;
  std::vector<std::string> files;
  std::string model;
};

absl::StatusOr<v1::Content> FileContent(const std::string& path) {
  TERMINUS_ASSIGN_OR_RETURN(std::string bytes, base::ReadFile(path, kMaxImageFileBytes));
  return ContentOfFile(std::move(bytes));
}

// As `search` reads it: a file if there is one of that name, a text otherwise.
absl::StatusOr<v1::Content> QueryContent(const std::string& query) {
  if (std::filesystem::is_regular_file(query)) {
    return FileContent(query);
  }
  v1::Content content;
  content.set_text(query);
  return content;
}

nlohmann::json ToJson(const std::string& label, const v1::CandidateScore& score) {
  nlohmann::json json = {{"candidate", label}};
  if (const absl::Status status = rpc::FromProto(score.status()); !status.ok()) {
    json["error"] = {{"code", absl::StatusCodeToString(status.code())},
                     {"message", std::string(status.message())}};
    return json;
  }
  json["score"] = score.score();
  json["cosine"] = score.cosine();
  if (score.has_learned()) json["learned"] = score.learned();
  if (score.has_modality_weight()) json["modality_weight"] = score.modality_weight();
  return json;
}

void PrintScores(const std::vector<std::string>& labels, const v1::ScoreResponse& response) {
  std::vector<std::vector<std::string>> rows = {{"score", "cosine", "candidate"}};
  for (const uint32_t place : response.ranking()) {
    const v1::CandidateScore& score = response.scores(static_cast<int>(place));
    rows.push_back({absl::StrFormat("%.3f", score.score()), absl::StrFormat("%.3f", score.cosine()),
                    labels[place]});
  }
  std::fputs(FormatTable(rows).c_str(), stdout);
  for (int i = 0; i < response.scores_size(); ++i) {
    const absl::Status status = rpc::FromProto(response.scores(i).status());
    if (!status.ok()) {
      absl::FPrintF(stderr, "terminus: '%s': %s\n", labels[i].substr(0, 60),
                    std::string(status.message()));
    }
  }
}

absl::Status RunScore(const Globals& globals, const ScoreOptions& options) {
  v1::ScoreRequest request;
  request.set_model(options.model);
  TERMINUS_ASSIGN_OR_RETURN(*request.mutable_query(), QueryContent(options.query));
  std::vector<std::string> labels;
  for (const std::string& text : options.texts) {
    request.add_candidates()->set_text(text);
    labels.push_back(text);
  }
  for (const std::string& file : options.files) {
    TERMINUS_ASSIGN_OR_RETURN(*request.add_candidates(), FileContent(file));
    labels.push_back(file);
  }
  if (labels.empty()) {
    return UsageError("nothing to score: give candidates as --text TEXT or --file IMAGE_OR_VIDEO");
  }
  TERMINUS_ASSIGN_OR_RETURN(const v1::ScoreResponse response, Client(globals).Score(request));
  if (globals.json) {
    nlohmann::json json = {{"scores", nlohmann::json::array()},
                           {"ranking", nlohmann::json::array()}};
    for (int i = 0; i < response.scores_size(); ++i) {
      json["scores"].push_back(ToJson(labels[i], response.scores(i)));
    }
    for (const uint32_t place : response.ranking()) json["ranking"].push_back(place);
    PrintJson(json);
  } else {
    PrintScores(labels, response);
  }
  return response.ranking_size() == response.scores_size() ? absl::OkStatus() : AlreadyReported();
}

}  // namespace

void AddScoreCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* score =
      app.add_subcommand("score", "Rank candidates of any kind against a query of any kind");
  auto options = std::make_shared<ScoreOptions>();
  score->add_option("query", options->query, "A text, or the path of an image or a video")
      ->required();
  score->add_option("--text", options->texts, "Candidates that are texts");
  score->add_option("--file", options->files, "Candidates that are image or video files");
  score->add_option("--model", options->model, "Name of a served model (default: the cluster's)");
  score->callback([&globals, &command, options] {
    command = [&globals, options] { return RunScore(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
