#include "services/decoder/edge/model_codec.h"

#include <utility>

#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/incremental_decoder.h"

namespace terminus::services::decoder::edge {
namespace {

class ModelStream final : public TextStream {
 public:
  explicit ModelStream(const tokenizer::Tokenizer* tokenizer) : decoder_(tokenizer) {}

  std::string Push(int32_t token) override {
    // A model's vocabulary may be padded with ids that are no tokens and have no text.
    return decoder_.Push(token).value_or("");
  }
  std::string Flush() override { return decoder_.Flush(); }

 private:
  tokenizer::IncrementalDecoder decoder_;
};

class ModelCodec final : public TextCodec {
 public:
  ModelCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
             std::unique_ptr<const chat::ChatTemplate> chat_template,
             chat::SpecialTokens special_tokens)
      : tokenizer_(std::move(tokenizer)),
        chat_template_(std::move(chat_template)),
        special_tokens_(std::move(special_tokens)) {}

  absl::StatusOr<std::vector<int32_t>> EncodeChat(
      absl::Span<const ChatMessage> messages) const override {
    if (chat_template_ == nullptr) {
      if (messages.size() != 1) {
        return base::FieldError(base::kReasonInvalidRequest, "messages",
                                "the model has no chat template: it takes one message, the prompt");
      }
      return Encode(messages[0].content, /*add_special_tokens=*/true);
    }
    std::vector<chat::Message> conversation;
    for (const ChatMessage& message : messages) {
      conversation.push_back({.role = message.role, .content = message.content});
    }
    const absl::StatusOr<std::string> text =
        chat_template_->Render(conversation, /*add_generation_prompt=*/true, special_tokens_);
    if (!text.ok()) {
      return base::FieldError(base::kReasonInvalidRequest, "messages", text.status().message());
    }
    // The template writes out the special tokens that it wants.
    return Encode(*text, /*add_special_tokens=*/false);
  }

  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                              bool add_special_tokens) const override {
    TERMINUS_ASSIGN_OR_RETURN(tokenizer::Encoding encoding, tokenizer_->Encode(text));
    std::vector<int32_t>& ids = encoding.ids;
    if (!add_special_tokens) {
      const size_t before = tokenizer_->template_tokens_before();
      ids.resize(ids.size() - (tokenizer_->template_tokens() - before));
      ids.erase(ids.begin(), ids.begin() + static_cast<int64_t>(before));
    }
    return std::move(ids);
  }

  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> tokens,
                                     bool skip_special_tokens) const override {
    return tokenizer_->Decode(tokens, skip_special_tokens);
  }

  std::unique_ptr<TextStream> NewStream() const override {
    return std::make_unique<ModelStream>(tokenizer_.get());
  }

  int vocabulary_size() const override { return tokenizer_->vocabulary_size(); }

 private:
  const std::unique_ptr<const tokenizer::Tokenizer> tokenizer_;
  const std::unique_ptr<const chat::ChatTemplate> chat_template_;
  const chat::SpecialTokens special_tokens_;
};

}  // namespace

std::unique_ptr<const TextCodec> MakeCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
                                           std::unique_ptr<const chat::ChatTemplate> chat_template,
                                           chat::SpecialTokens special_tokens) {
  return std::make_unique<ModelCodec>(std::move(tokenizer), std::move(chat_template),
                                      std::move(special_tokens));
}

}  // namespace terminus::services::decoder::edge
