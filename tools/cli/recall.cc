#include <algorithm>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "tools/cli/captions.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"
#include "tools/cli/gallery.h"
#include "tools/cli/table.h"

namespace terminus::tools::cli {
namespace {

namespace fs = std::filesystem;

struct RecallOptions {
  std::string captions;
  std::string folder;
  int misses = 10;
  bool no_cache = false;
};

// The images that have a caption, with their captions beside them.
struct Captioned {
  Gallery gallery;
  std::vector<std::string> captions;
};

// Paths in the captions file are relative to the folder it lies in.
Captioned Match(Gallery gallery, const Captions& captions, const std::string& captions_folder) {
  Captioned matched;
  matched.gallery.failed = std::move(gallery.failed);
  matched.gallery.space_id = gallery.space_id;
  std::error_code error;
  const fs::path root = fs::canonical(captions_folder, error);
  for (size_t i = 0; i < gallery.images.size(); ++i) {
    const fs::path path = fs::canonical(gallery.images[i].path, error);
    const auto caption = captions.find(path.lexically_relative(root).string());
    if (caption != captions.end()) {
      matched.gallery.images.push_back(std::move(gallery.images[i]));
      matched.gallery.vectors.push_back(std::move(gallery.vectors[i]));
      matched.captions.push_back(caption->second);
    }
  }
  return matched;
}

absl::StatusOr<std::map<std::string, std::vector<float>>> EmbedCaptions(
    const Client& client, const std::vector<std::string>& captions, const GalleryOptions& options) {
  std::vector<std::string> distinct = captions;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  TERMINUS_ASSIGN_OR_RETURN(std::vector<std::vector<float>> vectors,
                            EmbedTexts(client, distinct, options));
  std::map<std::string, std::vector<float>> queries;
  for (size_t i = 0; i < distinct.size(); ++i) {
    queries[distinct[i]] = std::move(vectors[i]);
  }
  return queries;
}

// The captions whose picture came latest.
std::vector<CaptionOutcome> Misses(const RecallReport& report, size_t count) {
  std::vector<CaptionOutcome> misses;
  for (const CaptionOutcome& outcome : report.outcomes) {
    if (outcome.rank > 1) {
      misses.push_back(outcome);
    }
  }
  std::stable_sort(misses.begin(), misses.end(),
                   [](const auto& a, const auto& b) { return a.rank > b.rank; });
  misses.resize(std::min(misses.size(), count));
  return misses;
}

void PrintReportJson(const Captioned& captioned, const RecallReport& report,
                     const std::vector<CaptionOutcome>& misses) {
  const Recall& recall = report.recall;
  nlohmann::json json = {{"images", captioned.gallery.images.size()},
                         {"space_id", captioned.gallery.space_id},
                         {"captions", recall.captions},
                         {"recall_at_1", recall.at_1},
                         {"recall_at_5", recall.at_5},
                         {"recall_at_10", recall.at_10},
                         {"median_rank", recall.median_rank},
                         {"paired_images", recall.paired_images},
                         {"neighbour_agreement", recall.neighbour_agreement},
                         {"misses", nlohmann::json::array()},
                         {"failed", nlohmann::json::array()}};
  for (const CaptionOutcome& miss : misses) {
    json["misses"].push_back({{"caption", miss.caption},
                              {"rank", miss.rank},
                              {"found", captioned.gallery.images[miss.first.index].relative}});
  }
  for (const FailedFile& failed : captioned.gallery.failed) {
    json["failed"].push_back({{"relative", failed.relative}, {"error", failed.reason}});
  }
  PrintJson(json);
}

void PrintReport(const Captioned& captioned, const RecallReport& report,
                 const std::vector<CaptionOutcome>& misses) {
  const Recall& recall = report.recall;
  absl::PrintF(
      "%d images, %d distinct captions\n"
      "text to image   recall@1 %.1f%%   recall@5 %.1f%%   recall@10 %.1f%%   median rank %g\n"
      "                by chance %.1f%%            %.1f%%             %.1f%%\n",
      captioned.gallery.images.size(), recall.captions, 100 * recall.at_1, 100 * recall.at_5,
      100 * recall.at_10, recall.median_rank, 100 * ChanceRecall(captioned.captions, 1),
      100 * ChanceRecall(captioned.captions, 5), 100 * ChanceRecall(captioned.captions, 10));
  if (recall.paired_images > 0) {
    absl::PrintF("image to image  nearest other image has the same caption: %.1f%% of %d images\n",
                 100 * recall.neighbour_agreement, recall.paired_images);
  }
  if (!misses.empty()) {
    std::vector<std::vector<std::string>> rows = {{"RANK", "CAPTION", "FOUND FIRST"}};
    for (const CaptionOutcome& miss : misses) {
      rows.push_back({absl::StrCat(miss.rank), miss.caption, captioned.captions[miss.first.index]});
    }
    absl::PrintF("\nfurthest off:\n%s", FormatTable(rows));
  }
  PrintFailed("left out", captioned.gallery.failed);
}

absl::Status RunRecall(const Globals& globals, const RecallOptions& options) {
  TERMINUS_ASSIGN_OR_RETURN(const Captions captions, ReadCaptions(options.captions));
  const std::string captions_folder = fs::absolute(options.captions).parent_path().string();
  const Client client(globals);
  const GalleryOptions gallery_options{.index_folder =
                                           options.no_cache ? "" : DefaultIndexFolder()};
  TERMINUS_ASSIGN_OR_RETURN(
      Gallery gallery,
      EmbedFolder(client, options.folder.empty() ? captions_folder : options.folder,
                  gallery_options));
  const Captioned captioned = Match(std::move(gallery), captions, captions_folder);
  if (captioned.captions.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("no image of the folder has a caption in ",
                                                   options.captions, ": its paths are relative to ",
                                                   captions_folder));
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto queries,
                            EmbedCaptions(client, captioned.captions, gallery_options));
  const RecallReport report = MeasureRecall(captioned.captions, captioned.gallery.vectors, queries);
  const std::vector<CaptionOutcome> misses = Misses(report, static_cast<size_t>(options.misses));
  if (globals.json) {
    PrintReportJson(captioned, report, misses);
  } else {
    PrintReport(captioned, report, misses);
  }
  return absl::OkStatus();
}

}  // namespace

void AddRecallCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* recall = app.add_subcommand(
      "recall", "Measure how well captions find their images, and images their like");
  auto options = std::make_shared<RecallOptions>();
  recall
      ->add_option("--captions", options->captions,
                   "JSON object of image path (relative to this file's folder) to caption")
      ->required()
      ->check(CLI::ExistingFile);
  recall->add_option("--in", options->folder, "Folder of the images (default: the captions')")
      ->check(CLI::ExistingDirectory);
  recall->add_option("--misses", options->misses, "How many of the worst captions to show")
      ->check(CLI::Range(0, 1000))
      ->capture_default_str();
  recall->add_flag("--no-cache", options->no_cache, "Neither use nor keep vectors between runs");
  recall->callback([&globals, &command, options] {
    command = [&globals, options] { return RunRecall(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
