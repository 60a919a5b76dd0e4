#include "common/tokenizer/model.h"

#include "common/base/status_macros.h"
#include "common/tokenizer/bpe.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/word_piece.h"

namespace terminus::tokenizer {

absl::StatusOr<std::unique_ptr<const Model>> MakeModel(const JsonNode& section, bool byte_level) {
  TERMINUS_RETURN_IF_ERROR(section.ExpectType({"BPE", "WordPiece"}));
  if (section.Member("type").value() == "BPE") return Bpe::FromJson(section, byte_level);
  return WordPiece::FromJson(section);
}

}  // namespace terminus::tokenizer
