#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/decoder/edge/stop_matcher.h"
#include "services/decoder/edge/text_codec.h"
#include "services/decoder/pipeline/generation.h"
#include "models/sampling/sampler.h"
#include "terminus/v1/generation.pb.h"

namespace terminus::services::decoder::edge {

// Turns the tokens of one choice into deltas. A delta's text may lag behind its token ids: half a
// character and the beginning of a stop string are held back. Not thread-safe.
class ChoiceText {
 public:
  ChoiceText(std::unique_ptr<TextStream> stream, std::vector<std::string> stops)
      : stream_(std::move(stream)), matcher_(std::move(stops)) {}

  // Adds a token to `delta`. When it completes a stop string the delta is the choice's last. An
  // error is the codec's; nothing more may be added then.
  absl::Status Push(const models::sampling::Sampled& token, bool with_logprobs, v1::TextDelta& delta);
  // Adds the remaining text and the reason to `delta`, the choice's last.
  void End(pipeline::EndReason reason, v1::TextDelta& delta);

  // The last delta has been made; nothing more may be added.
  bool ended() const { return ended_; }
  // Token ids put into deltas.
  int tokens() const { return tokens_; }

 private:
  void Show(const std::string& text, v1::TextDelta& delta);

  std::unique_ptr<TextStream> stream_;
  StopMatcher matcher_;
  bool ended_ = false;
  int tokens_ = 0;
};

// Appends `more` to `delta`, which is of the same choice.
void Merge(const v1::TextDelta& more, v1::TextDelta& delta);

}  // namespace terminus::services::decoder::edge
