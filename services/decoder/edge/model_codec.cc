#include "services/decoder/edge/model_codec.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/embedding_rows.h"
#include "common/tokenizer/incremental_decoder.h"

namespace terminus::services::decoder::edge {
namespace {

// A model's vocabulary may be padded with ids that are no tokens: they have no text.
bool IsToken(const tokenizer::Tokenizer& tokenizer, int32_t id) {
  return tokenizer.TokenOf(id).has_value();
}

class ModelStream final : public TextStream {
 public:
  explicit ModelStream(const tokenizer::Tokenizer* tokenizer)
      : tokenizer_(tokenizer), decoder_(tokenizer) {}

  absl::StatusOr<std::string> Push(int32_t token) override {
    return IsToken(*tokenizer_, token) ? decoder_.Push(token) : std::string();
  }
  std::string Flush() override { return decoder_.Flush(); }

 private:
  const tokenizer::Tokenizer* const tokenizer_;
  tokenizer::IncrementalDecoder decoder_;
};

class ModelCodec final : public TextCodec {
 public:
  ModelCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
             std::unique_ptr<const chat::ChatTemplate> chat_template,
             chat::SpecialTokens special_tokens, int vocabulary_size)
      : tokenizer_(std::move(tokenizer)),
        chat_template_(std::move(chat_template)),
        special_tokens_(std::move(special_tokens)),
        rows_(vocabulary_size) {}

  absl::StatusOr<std::vector<int32_t>> EncodeChat(absl::Span<const ChatMessage> messages,
                                                  bool special_tokens_in_messages) const override {
    TERMINUS_ASSIGN_OR_RETURN(const chat::Rendered prompt, Render(messages));
    tokenizer::EncodeOptions options;
    // A template writes out the special tokens that it wants.
    options.add_special_tokens = chat_template_ == nullptr;
    if (!special_tokens_in_messages) {
      options.plain_text = prompt.message_text;
    }
    TERMINUS_ASSIGN_OR_RETURN(tokenizer::Encoding encoding,
                              tokenizer_->Encode(prompt.text, options));
    TERMINUS_RETURN_IF_ERROR(CheckRows(encoding.ids));
    return std::move(encoding.ids);
  }

  absl::StatusOr<std::vector<int32_t>> Encode(absl::string_view text,
                                              bool add_special_tokens) const override {
    TERMINUS_ASSIGN_OR_RETURN(tokenizer::Encoding encoding,
                              tokenizer_->Encode(text, {.add_special_tokens = add_special_tokens}));
    return std::move(encoding.ids);
  }

  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> tokens,
                                     bool skip_special_tokens) const override {
    std::vector<int32_t> known;
    for (const int32_t token : tokens) {
      if (IsToken(*tokenizer_, token)) {
        known.push_back(token);
      }
    }
    return tokenizer_->Decode(known, skip_special_tokens);
  }

  std::unique_ptr<TextStream> NewStream() const override {
    return std::make_unique<ModelStream>(tokenizer_.get());
  }

  int vocabulary_size() const override { return std::max(rows_, tokenizer_->vocabulary_size()); }

 private:
  // Without a template the only message is the prompt.
  absl::StatusOr<chat::Rendered> Render(absl::Span<const ChatMessage> messages) const {
    if (chat_template_ == nullptr) {
      if (messages.size() != 1) {
        return base::FieldError(base::kReasonInvalidRequest, "messages",
                                "the model has no chat template: it takes one message, the prompt");
      }
      chat::Rendered prompt = {.text = messages[0].Text()};
      prompt.message_text = {{.begin = 0, .end = prompt.text.size()}};
      return prompt;
    }
    std::vector<chat::Message> conversation;
    for (const ChatMessage& message : messages) {
      chat::Message& made = conversation.emplace_back(chat::Message{.role = message.role});
      if (!chat_template_->wants_parts()) {
        made.content = message.Text();
        continue;
      }
      for (const std::string& part : message.parts) {
        made.parts.push_back({.text = part});
      }
    }
    absl::StatusOr<chat::Rendered> prompt =
        chat_template_->Render(conversation, /*add_generation_prompt=*/true, special_tokens_);
    if (!prompt.ok()) {
      return base::FieldError(base::kReasonInvalidRequest, "messages", prompt.status().message());
    }
    return prompt;
  }

  // A tokenizer may have tokens that the model's table has no row for.
  absl::Status CheckRows(absl::Span<const int32_t> ids) const {
    const absl::Status known = tokenizer::CheckRows(*tokenizer_, ids, rows_);
    return known.ok() ? known
                      : base::FieldError(base::kReasonInvalidRequest, "messages", known.message());
  }

  const std::unique_ptr<const tokenizer::Tokenizer> tokenizer_;
  const std::unique_ptr<const chat::ChatTemplate> chat_template_;
  const chat::SpecialTokens special_tokens_;
  const int rows_;
};

}  // namespace

std::unique_ptr<const TextCodec> MakeCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
                                           std::unique_ptr<const chat::ChatTemplate> chat_template,
                                           chat::SpecialTokens special_tokens,
                                           int vocabulary_size) {
  return std::make_unique<ModelCodec>(std::move(tokenizer), std::move(chat_template),
                                      std::move(special_tokens), vocabulary_size);
}

}  // namespace terminus::services::decoder::edge
