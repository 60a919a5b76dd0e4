#pragma once

#include <memory>
#include <string>
#include <vector>

#include "services/decoder/edge/text_codec.h"

namespace terminus::services::decoder::testing {

// A token for each byte, and a few special ones above. A conversation is "<role>content" for each
// message, then "<assistant>", with these marks as special tokens.
class ByteCodec : public edge::TextCodec {
 public:
  static constexpr int32_t kEos = 256;
  static constexpr int32_t kSystem = 257;
  static constexpr int32_t kUser = 258;
  static constexpr int32_t kAssistant = 259;
  static constexpr int32_t kVocabulary = 260;

  // No text can be made of `unreadable`.
  explicit ByteCodec(int32_t unreadable = -1) : unreadable_(unreadable) {}

  absl::StatusOr<std::vector<int32_t>> EncodeChat(absl::Span<const edge::ChatMessage> messages,
                                                  bool special_tokens_in_messages) const override;
  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                              bool add_special_tokens) const override;
  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> tokens,
                                     bool skip_special_tokens) const override;
  std::unique_ptr<edge::TextStream> NewStream() const override;
  int vocabulary_size() const override { return kVocabulary; }

 private:
  const int32_t unreadable_;
};

}  // namespace terminus::services::decoder::testing
