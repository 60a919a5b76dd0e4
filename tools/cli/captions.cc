#include "tools/cli/captions.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"

namespace terminus::tools::cli {
namespace {

constexpr size_t kMaxCaptionBytes = 256 << 20;

void MeasureTextToImage(const std::vector<std::string>& captions,
                        const std::vector<std::vector<float>>& images,
                        const std::map<std::string, std::vector<float>>& queries,
                        RecallReport& report) {
  std::vector<size_t> ranks;
  size_t hits[3] = {0, 0, 0};
  for (const auto& [caption, query] : queries) {
    const std::vector<Ranked> ranked = TopK(query, images, images.size());
    const auto right = std::find_if(ranked.begin(), ranked.end(), [&](const Ranked& candidate) {
      return captions[candidate.index] == caption;
    });
    if (right == ranked.end()) {
      continue;  // None of its pictures has a vector.
    }
    const size_t rank = static_cast<size_t>(right - ranked.begin()) + 1;
    ranks.push_back(rank);
    hits[0] += rank <= 1 ? 1 : 0;
    hits[1] += rank <= 5 ? 1 : 0;
    hits[2] += rank <= 10 ? 1 : 0;
    report.outcomes.push_back({.caption = caption, .rank = rank, .first = ranked.front()});
  }
  if (ranks.empty()) {
    return;
  }
  const double count = static_cast<double>(ranks.size());
  std::sort(ranks.begin(), ranks.end());
  const size_t middle = ranks.size() / 2;
  report.recall.captions = ranks.size();
  report.recall.at_1 = static_cast<double>(hits[0]) / count;
  report.recall.at_5 = static_cast<double>(hits[1]) / count;
  report.recall.at_10 = static_cast<double>(hits[2]) / count;
  report.recall.median_rank = ranks.size() % 2 == 1
                                  ? static_cast<double>(ranks[middle])
                                  : static_cast<double>(ranks[middle - 1] + ranks[middle]) / 2;
}

void MeasureNeighbours(const std::vector<std::string>& captions,
                       const std::vector<std::vector<float>>& images, Recall& recall) {
  std::map<std::string, size_t> pictures;
  for (size_t i = 0; i < images.size(); ++i) {
    pictures[captions[i]] += images[i].empty() ? 0 : 1;
  }
  size_t agreed = 0;
  for (size_t i = 0; i < images.size(); ++i) {
    if (images[i].empty() || pictures[captions[i]] < 2) {
      continue;
    }
    ++recall.paired_images;
    for (const Ranked& neighbour : TopK(images[i], images, 2)) {
      if (neighbour.index != i) {
        agreed += captions[neighbour.index] == captions[i] ? 1 : 0;
        break;
      }
    }
  }
  if (recall.paired_images > 0) {
    recall.neighbour_agreement =
        static_cast<double>(agreed) / static_cast<double>(recall.paired_images);
  }
}

}  // namespace

absl::StatusOr<Captions> ReadCaptions(const std::string& path) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxCaptionBytes));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": expected a JSON object {\"path of the image\": \"its caption\", …}"));
  }
  Captions captions;
  for (const auto& [image, caption] : json.items()) {
    if (!caption.is_string()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": the caption of '", image, "' is ",
                                                     caption.type_name(), ", expected a string"));
    }
    captions[image] = caption;
  }
  return captions;
}

RecallReport MeasureRecall(const std::vector<std::string>& captions,
                           const std::vector<std::vector<float>>& images,
                           const std::map<std::string, std::vector<float>>& queries) {
  RecallReport report;
  MeasureTextToImage(captions, images, queries, report);
  MeasureNeighbours(captions, images, report.recall);
  return report;
}

double ChanceRecall(const std::vector<std::string>& captions, size_t k) {
  std::map<std::string, size_t> pictures;
  for (const std::string& caption : captions) {
    ++pictures[caption];
  }
  double sum = 0;
  for (const auto& [caption, right] : pictures) {
    double all_wrong = 1;
    for (size_t place = 0; place < std::min(k, captions.size()); ++place) {
      const double left = static_cast<double>(captions.size() - place);
      all_wrong *= std::max(0.0, (left - static_cast<double>(right)) / left);
    }
    sum += 1 - all_wrong;
  }
  return pictures.empty() ? 0 : sum / static_cast<double>(pictures.size());
}

}  // namespace terminus::tools::cli
