#include "common/tokenizer/model.h"

#include "common/base/status_macros.h"
#include "common/tokenizer/bpe.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/unigram.h"
#include "common/tokenizer/word_piece.h"

namespace terminus::tokenizer {

absl::StatusOr<std::unique_ptr<const Model>> MakeModel(const JsonNode& section, bool byte_level) {
  // Older files do not name it.
  const bool named = !section.Member("type").IsNull();
  const auto has = [&](const char* key) { return !named && !section.Member(key).IsNull(); };
  if (section.HasType("BPE") || has("merges")) return Bpe::FromJson(section, byte_level);
  if (section.HasType("WordPiece") || has("max_input_chars_per_word")) {
    return WordPiece::FromJson(section);
  }
  if (section.HasType("Unigram") || has("unk_id")) return Unigram::FromJson(section);
  return section.ExpectType({"BPE", "Unigram", "WordPiece"});
}

}  // namespace terminus::tokenizer
