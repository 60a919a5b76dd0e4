#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/config/cluster_config.h"
#include "common/executor/encoder.h"
#include "common/serving/frontend.h"
#include "common/tokenizer/tokenizer.h"

namespace terminus::services::text {

// Tokenises texts, with one of the model's prompts in front where an item names one. Thread-safe.
class TextFrontend : public serving::Frontend<executor::TextBatch> {
 public:
  // What a model's folder says of its texts.
  struct Rules {
    // Longest text, special tokens included.
    int max_tokens = 0;
    // The key and the file that set the limit, for people.
    std::string max_tokens_source;
    // The model has embeddings of the ids below.
    int embedding_rows = 0;
    // Texts to put in front, by name.
    std::map<std::string, std::string> prompts;
    // The same for items that name none; empty: nothing.
    std::string default_prompt;
  };

  TextFrontend(std::unique_ptr<const tokenizer::Tokenizer> tokenizer, Rules rules,
               const config::Limits& limits);

  bool IsLight(const v1::EncodeBatchRequest& request) const override;

  // An item fails alone: EMPTY_ITEM (no token, not even a special one), UNSUPPORTED_MODALITY,
  // INVALID_UTF8, UNKNOWN_PROMPT, TEXT_TOO_LONG (over max_text_bytes, or over max_tokens with
  // TRUNCATE_NONE), INVALID_REQUEST (a token that the model has no embedding of).
  serving::Prepared<executor::TextBatch> Prepare(const v1::EncodeBatchRequest& request,
                                                 absl::Span<const absl::Status> admitted,
                                                 base::ThreadPool& pool) const override;

 private:
  struct Tokenized {
    std::vector<int32_t> ids;
    size_t bytes = 0;
    serving::PreparedItem item;
  };

  absl::Status Tokenize(const v1::EncodeItem& item, Tokenized& out) const;

  // The text in front of the item's own, which may be empty.
  absl::StatusOr<const std::string*> PromptOf(const v1::EncodeItem& item) const;

  std::unique_ptr<const tokenizer::Tokenizer> tokenizer_;
  const Rules rules_;
  const config::Limits limits_;
};

}  // namespace terminus::services::text
