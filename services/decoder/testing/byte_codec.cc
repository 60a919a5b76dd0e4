#include "services/decoder/testing/byte_codec.h"

#include <utility>

#include "common/tokenizer/utf8.h"

namespace terminus::services::decoder::testing {
namespace {

class ByteStream : public edge::TextStream {
 public:
  explicit ByteStream(int32_t unreadable) : unreadable_(unreadable) {}

  absl::StatusOr<std::string> Push(int32_t token) override {
    if (token == unreadable_) {
      return absl::InternalError("the token is unreadable");
    }
    if (token >= ByteCodec::kEos) {
      return std::string();
    }
    held_ += static_cast<char>(token);
    const size_t whole = tokenizer::ValidUtf8Prefix(held_);
    std::string text = held_.substr(0, whole);
    held_.erase(0, whole);
    if (held_.size() >= 4) {
      held_.clear();
      text += "\xef\xbf\xbd";
    }
    return text;
  }
  std::string Flush() override { return std::exchange(held_, "").empty() ? "" : "\xef\xbf\xbd"; }

 private:
  const int32_t unreadable_;
  std::string held_;
};

}  // namespace

absl::StatusOr<std::vector<int32_t>> ByteCodec::EncodeChat(
    absl::Span<const edge::ChatMessage> messages, bool /*special_tokens_in_messages*/) const {
  std::vector<int32_t> tokens;
  for (const edge::ChatMessage& message : messages) {
    tokens.push_back(message.role == "system" ? kSystem
                     : message.role == "user" ? kUser
                                              : kAssistant);
    for (const char c : message.Text()) {
      tokens.push_back(static_cast<unsigned char>(c));
    }
  }
  tokens.push_back(kAssistant);
  return tokens;
}

absl::StatusOr<std::vector<int32_t>> ByteCodec::Encode(absl::string_view text,
                                                       bool add_special_tokens) const {
  std::vector<int32_t> tokens;
  for (const char c : text) {
    tokens.push_back(static_cast<unsigned char>(c));
  }
  if (add_special_tokens) {
    tokens.push_back(kEos);
  }
  return tokens;
}

absl::StatusOr<std::string> ByteCodec::Decode(absl::Span<const int32_t> tokens,
                                              bool skip_special_tokens) const {
  std::string text;
  for (const int32_t token : tokens) {
    if (token < kEos) {
      text += static_cast<char>(token);
    } else if (!skip_special_tokens) {
      text += "<" + std::to_string(token) + ">";
    }
  }
  return text;
}

std::unique_ptr<edge::TextStream> ByteCodec::NewStream() const {
  return std::make_unique<ByteStream>(unreadable_);
}

}  // namespace terminus::services::decoder::testing
