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
  // `max_tokens` counts the special tokens too.
  TextFrontend(std::unique_ptr<const tokenizer::Tokenizer> tokenizer, int max_tokens,
               std::map<std::string, std::string> prompts, const config::Limits& limits);

  bool IsLight(const v1::EncodeBatchRequest& request) const override;

  // An item fails alone: EMPTY_ITEM, UNSUPPORTED_MODALITY, INVALID_UTF8, UNKNOWN_PROMPT,
  // TEXT_TOO_LONG (over max_text_bytes, or over max_tokens with TRUNCATE_NONE).
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

  std::unique_ptr<const tokenizer::Tokenizer> tokenizer_;
  const int max_tokens_;
  const std::map<std::string, std::string> prompts_;
  const config::Limits limits_;
};

}  // namespace terminus::services::text
