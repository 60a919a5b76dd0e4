#include "common/tokenizer/post_processor.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"

namespace terminus::tokenizer {
namespace {

// Segments other than 0 would need type ids, which the encoders do not take.
absl::Status ExpectFirstSegment(const JsonNode& piece) {
  const JsonNode type_id = piece.Member("type_id");
  TERMINUS_ASSIGN_OR_RETURN(const int32_t id, type_id.Index());
  return id == 0 ? absl::OkStatus() : type_id.Unexpected("the supported 0");
}

absl::StatusOr<std::vector<int32_t>> SpecialTokenIds(const JsonNode& section,
                                                     const JsonNode& piece) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string name, piece.Member("id").String());
  const JsonNode token = section.Member("special_tokens").Member(name);
  TERMINUS_RETURN_IF_ERROR(token.ExpectObject());
  TERMINUS_ASSIGN_OR_RETURN(const auto ids, token.Member("ids").Elements());
  std::vector<int32_t> values;
  for (const JsonNode& id : ids) {
    TERMINUS_ASSIGN_OR_RETURN(values.emplace_back(), id.Index());
  }
  return values;
}

absl::StatusOr<PostProcessor> FromTemplate(const JsonNode& section) {
  const JsonNode single = section.Member("single");
  TERMINUS_ASSIGN_OR_RETURN(const auto pieces, single.Elements());
  PostProcessor processor;
  int texts = 0;
  for (const JsonNode& piece : pieces) {
    const JsonNode special = piece.Member("SpecialToken");
    const JsonNode text = piece.Member("Sequence");
    if (!special.IsNull()) {
      TERMINUS_RETURN_IF_ERROR(ExpectFirstSegment(special));
      TERMINUS_ASSIGN_OR_RETURN(const auto ids, SpecialTokenIds(section, special));
      auto& side = texts == 0 ? processor.before : processor.after;
      side.insert(side.end(), ids.begin(), ids.end());
    } else if (!text.IsNull()) {
      TERMINUS_RETURN_IF_ERROR(ExpectFirstSegment(text));
      ++texts;
    } else {
      return piece.Unexpected("{\"SpecialToken\": …} or {\"Sequence\": …}");
    }
  }
  if (texts != 1) {
    return single.Error(absl::StrCat("found ", texts, " sequences, expected exactly one"));
  }
  return processor;
}

// {"sep": ["[SEP]", 102], "cls": ["[CLS]", 101]}
absl::StatusOr<PostProcessor> FromBert(const JsonNode& section) {
  PostProcessor processor;
  const auto read = [&](const char* key, std::vector<int32_t>& side) -> absl::Status {
    const JsonNode token = section.Member(key);
    TERMINUS_ASSIGN_OR_RETURN(const auto pair, token.Elements());
    if (pair.size() != 2) return token.Unexpected("[token, id]");
    TERMINUS_ASSIGN_OR_RETURN(side.emplace_back(), pair[1].Index());
    return absl::OkStatus();
  };
  TERMINUS_RETURN_IF_ERROR(read("cls", processor.before));
  TERMINUS_RETURN_IF_ERROR(read("sep", processor.after));
  return processor;
}

// Of a sequence, only one part may add tokens.
absl::StatusOr<PostProcessor> FromSequence(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(const auto flat, section.Flattened("processors"));
  PostProcessor processor;
  for (const JsonNode& element : flat) {
    TERMINUS_RETURN_IF_ERROR(element.ExpectObject());
    TERMINUS_ASSIGN_OR_RETURN(PostProcessor part, MakePostProcessor(element));
    if (part.added() > 0 && processor.added() > 0) {
      return section.Member("processors")
          .Error("found two that add tokens, at most one is supported");
    }
    if (part.added() > 0) processor = std::move(part);
  }
  return processor;
}

}  // namespace

absl::StatusOr<PostProcessor> MakePostProcessor(const JsonNode& section) {
  if (section.IsNull()) return PostProcessor{};
  TERMINUS_RETURN_IF_ERROR(section.ExpectType("post_processor"));
  const auto& type = section.Member("type").value();
  if (type == "BertProcessing" || type == "RobertaProcessing") return FromBert(section);
  if (type == "Sequence") return FromSequence(section);
  // It trims offsets, which are not reported, and adds nothing.
  if (type == "ByteLevel") return PostProcessor{};
  return FromTemplate(section);
}

}  // namespace terminus::tokenizer
