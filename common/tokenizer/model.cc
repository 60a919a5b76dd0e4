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
  if (section.HasType("BPE") || has("merges")) {
    TERMINUS_RETURN_IF_ERROR(section.CheckKeys("model.BPE"));
    return Bpe::FromJson(section, byte_level);
  }
  if (section.HasType("WordPiece") || has("max_input_chars_per_word")) {
    TERMINUS_RETURN_IF_ERROR(section.CheckKeys("model.WordPiece"));
    return WordPiece::FromJson(section);
  }
  if (section.HasType("Unigram") || has("unk_id")) {
    TERMINUS_RETURN_IF_ERROR(section.CheckKeys("model.Unigram"));
    return Unigram::FromJson(section);
  }
  return section.ExpectType("model");
}

}  // namespace terminus::tokenizer
