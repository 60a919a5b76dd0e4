#include "common/tokenizer/pre_tokenizer.h"

#include "common/base/status_macros.h"
#include "common/tokenizer/bert_pre_tokenizer.h"
#include "common/tokenizer/json_node.h"

namespace terminus::tokenizer {

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizer(const JsonNode& section) {
  TERMINUS_RETURN_IF_ERROR(section.ExpectType({"BertPreTokenizer"}));
  return std::make_unique<BertPreTokenizer>();
}

}  // namespace terminus::tokenizer
