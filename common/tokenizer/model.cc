#include "common/tokenizer/model.h"

#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/word_piece.h"

namespace terminus::tokenizer {

absl::StatusOr<std::unique_ptr<const Model>> MakeModel(const JsonNode& section) {
  TERMINUS_RETURN_IF_ERROR(section.ExpectType({"WordPiece"}));
  return WordPiece::FromJson(section);
}

}  // namespace terminus::tokenizer
