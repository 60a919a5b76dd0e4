#include "services/decoder/edge/recognize.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/tensor/tensor.h"
#include "services/decoder/edge/vectors.h"

namespace terminus::services::decoder::edge {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view message) {
  return base::FieldError(base::kReasonInvalidRequest, field, message);
}

absl::Status CheckRows(const Matrix& matrix, const char* field) {
  for (int i = 0; i < matrix.rows; ++i) {
    TERMINUS_RETURN_IF_ERROR(CheckDirection(matrix.row(i), absl::StrCat(field, "[", i, "]")));
  }
  return absl::OkStatus();
}

absl::Status CheckLabels(const v1::DecoderRecognizeRequest& request, const Matrix& vectors) {
  if (request.labels_size() != vectors.rows) {
    return Invalid("labels", absl::StrCat(request.labels_size(), " labels for ", vectors.rows,
                                          " label vectors"));
  }
  absl::flat_hash_set<std::string> seen;
  for (int i = 0; i < request.labels_size(); ++i) {
    if (!seen.insert(request.labels(i)).second) {
      return Invalid(absl::StrCat("labels[", i, "]"), "the label is there twice");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTimes(const v1::DecoderRecognizeRequest& request, int frames) {
  if (request.frame_us_size() != frames) {
    return Invalid("frame_us",
                   absl::StrCat(request.frame_us_size(), " times for ", frames, " frames"));
  }
  for (int i = 1; i < frames; ++i) {
    if (request.frame_us(i) < request.frame_us(i - 1)) {
      return Invalid(absl::StrCat("frame_us[", i, "]"), "the times go backwards");
    }
  }
  return absl::OkStatus();
}

// [dimension]: the mean of the frames, each scaled to length 1 before.
std::vector<float> Pool(const Matrix& frames) {
  std::vector<float> pooled(static_cast<size_t>(frames.dimension), 0.0f);
  for (int i = 0; i < frames.rows; ++i) {
    std::vector<float> frame(frames.row(i).begin(), frames.row(i).end());
    tensor::Normalize(absl::MakeSpan(frame));
    for (size_t d = 0; d < pooled.size(); ++d) {
      pooled[d] += frame[d] / static_cast<float>(frames.rows);
    }
  }
  return pooled;
}

std::vector<double> Softmax(std::vector<double> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (double& logit : logits) {
    logit = std::exp(logit - largest);
    sum += logit;
  }
  for (double& logit : logits) {
    logit /= sum;
  }
  return logits;
}

// First and last frame of the longest run of true; the first of equally long ones.
std::pair<int, int> LongestRun(const std::vector<bool>& in) {
  std::pair<int, int> best = {0, -1};
  int begin = 0;
  for (int i = 0; i <= static_cast<int>(in.size()); ++i) {
    if (i < static_cast<int>(in.size()) && in[static_cast<size_t>(i)]) {
      continue;
    }
    if (i - begin > best.second - best.first + 1) {
      best = {begin, i - 1};
    }
    begin = i + 1;
  }
  return best;
}

// Which frames a label spans. `cosines` is [frame][label].
std::pair<int, int> SpanOf(const std::vector<std::vector<double>>& cosines, size_t label) {
  const size_t frames = cosines.size();
  double mean = 0;
  for (const std::vector<double>& frame : cosines) {
    mean += frame[label] / static_cast<double>(frames);
  }
  std::vector<bool> best(frames);
  std::vector<bool> above(frames);
  for (size_t f = 0; f < frames; ++f) {
    best[f] = cosines[f][label] == *std::max_element(cosines[f].begin(), cosines[f].end());
    above[f] = cosines[f][label] > mean;
  }
  for (const std::vector<bool>* in : {&best, &above}) {
    if (std::find(in->begin(), in->end(), true) != in->end()) {
      return LongestRun(*in);
    }
  }
  return {0, static_cast<int>(frames) - 1};
}

int64_t EndOfFrame(const v1::DecoderRecognizeRequest& request, int frame) {
  const int frames = request.frame_us_size();
  if (frame + 1 < frames) {
    return request.frame_us(frame + 1);
  }
  const int64_t start = request.frame_us(frame);
  return frame == 0 ? start : start + (start - request.frame_us(frame - 1));
}

}  // namespace

absl::Status Recognize(const v1::DecoderRecognizeRequest& request, int dimension,
                       double logit_scale, v1::RecognizeResponse& response) {
  TERMINUS_ASSIGN_OR_RETURN(const Matrix frames,
                            ReadMatrix(request.frames(), dimension, kMaxFrames, "frames"));
  TERMINUS_RETURN_IF_ERROR(CheckRows(frames, "frames"));
  TERMINUS_RETURN_IF_ERROR(CheckTimes(request, frames.rows));
  if (request.labels().empty() && !request.has_label_vectors()) {
    return base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNoActionHead,
                           "the bundle has no action labels of its own: give some to choose from");
  }
  TERMINUS_ASSIGN_OR_RETURN(const Matrix labels, ReadMatrix(request.label_vectors(), dimension,
                                                            kMaxLabels, "label_vectors"));
  TERMINUS_RETURN_IF_ERROR(CheckRows(labels, "label_vectors"));
  TERMINUS_RETURN_IF_ERROR(CheckLabels(request, labels));

  const std::vector<float> video = Pool(frames);
  if (!CheckDirection(video, "frames").ok()) {
    return Invalid("frames", "the frames' vectors cancel each other out");
  }
  std::vector<double> logits;
  std::vector<std::vector<double>> cosines(static_cast<size_t>(frames.rows));
  for (int label = 0; label < labels.rows; ++label) {
    logits.push_back(logit_scale * Cosine(video, labels.row(label)));
    for (int frame = 0; frame < frames.rows; ++frame) {
      cosines[static_cast<size_t>(frame)].push_back(Cosine(frames.row(frame), labels.row(label)));
    }
  }
  const std::vector<double> probabilities = Softmax(logits);
  std::vector<size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return probabilities[a] > probabilities[b]; });
  order.resize(
      std::min<size_t>(order.size(), request.top_k() == 0 ? kDefaultTopK : request.top_k()));
  for (const size_t label : order) {
    const auto [first, last] = SpanOf(cosines, label);
    v1::RecognizedAction* action = response.add_actions();
    action->set_label(request.labels(static_cast<int>(label)));
    action->set_score(static_cast<float>(probabilities[label]));
    action->set_start_us(request.frame_us(first));
    action->set_end_us(EndOfFrame(request, last));
  }
  response.set_frames(static_cast<uint32_t>(frames.rows));
  return absl::OkStatus();
}

}  // namespace terminus::services::decoder::edge
