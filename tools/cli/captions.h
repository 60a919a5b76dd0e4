#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/cli/ranking.h"

namespace terminus::tools::cli {

// Captions by relative path. Read from a JSON object {"sub/cat.png": "A cat.", …}.
using Captions = std::map<std::string, std::string>;

absl::StatusOr<Captions> ReadCaptions(const std::string& path);

// How well a space finds captioned pictures.
struct Recall {
  // Text to image: share of distinct captions of which a picture is among the first k. A caption
  // that several pictures share counts any of them.
  size_t captions = 0;
  double at_1 = 0;
  double at_5 = 0;
  double at_10 = 0;
  // Of the first right picture, over the distinct captions, counted from 1.
  double median_rank = 0;
  // Image to image: among the pictures that share their caption with another one, the share whose
  // nearest other picture has the same caption.
  size_t paired_images = 0;
  double neighbour_agreement = 0;
};

// What a caption found.
struct CaptionOutcome {
  std::string caption;
  // Of the first right picture, from 1.
  size_t rank = 0;
  // Place of the picture found first, and its score.
  Ranked first;
};

struct RecallReport {
  Recall recall;
  // One for each distinct caption, in alphabetical order.
  std::vector<CaptionOutcome> outcomes;
};

// `captions[i]` is the caption of image i, whose vector is `images[i]`; `queries` holds the vector
// of each distinct caption. Captions without a query vector are left out.
RecallReport MeasureRecall(const std::vector<std::string>& captions,
                           const std::vector<std::vector<float>>& images,
                           const std::map<std::string, std::vector<float>>& queries);

// The recall@k to expect of an order by chance, for the same captions.
double ChanceRecall(const std::vector<std::string>& captions, size_t k);

}  // namespace terminus::tools::cli
