#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "models/sampling/parameters.h"
#include "services/decoder/edge/stop_matcher.h"
#include "services/decoder/edge/text_codec.h"
#include "services/decoder/pipeline/generation.h"
#include "terminus/v1/generation.pb.h"

namespace terminus::services::decoder::edge {

// Turns the tokens of one choice into deltas. A delta's text may lag behind its token ids: half a
// character and the beginning of a stop string are held back. Not thread-safe.
class ChoiceText {
 public:
  // What ends the answer, beside the engine's own end of it.
  struct Ends {
    // None is empty.
    std::vector<std::string> strings;
    // They end it as soon as so many tokens stand in front of them.
    std::vector<int32_t> tokens;
    int min_tokens = 0;
  };

  ChoiceText(std::unique_ptr<TextStream> stream, Ends ends)
      : stream_(std::move(stream)),
        matcher_(std::move(ends.strings)),
        end_tokens_(std::move(ends.tokens)),
        min_tokens_(ends.min_tokens) {}

  // Adds a token to `delta`. When it ends the answer the delta is the choice's last. An error is
  // the codec's; nothing more may be added then.
  absl::Status Push(const models::sampling::Sampled& token, bool with_logprobs,
                    v1::TextDelta& delta);
  // Adds the remaining text and the reason to `delta`, the choice's last.
  void End(pipeline::EndReason reason, v1::TextDelta& delta);

  // The last delta has been made; nothing more may be added.
  bool ended() const { return ended_; }
  // Token ids put into deltas.
  int tokens() const { return tokens_; }

 private:
  bool IsEnd(int32_t token) const;
  void Show(const std::string& text, v1::TextDelta& delta);

  std::unique_ptr<TextStream> stream_;
  StopMatcher matcher_;
  std::vector<int32_t> end_tokens_;
  int min_tokens_;
  bool ended_ = false;
  int tokens_ = 0;
};

// Appends `more` to `delta`, which is of the same choice.
void Merge(const v1::TextDelta& more, v1::TextDelta& delta);

}  // namespace terminus::services::decoder::edge
