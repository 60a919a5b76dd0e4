#include "common/tokenizer/siglip_check.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/normalizer.h"

namespace terminus::tokenizer {

absl::Status CheckSiglip(const nlohmann::json& document, bool lowers) {
  const JsonNode section = JsonNode(document).Member("normalizer");
  TERMINUS_ASSIGN_OR_RETURN(const auto normalizer, MakeNormalizer(section));
  const auto form_of = [&](const std::string& text) {
    std::string form;
    normalizer->Normalize(text, form);
    return form;
  };
  for (char c = '!'; c <= '~'; ++c) {
    const std::string form = form_of({'a', c, 'b'});
    const bool is_letter = absl::ascii_isalnum(static_cast<unsigned char>(c));
    std::string expected = "ab";
    if (is_letter) expected.insert(1, 1, lowers ? absl::ascii_tolower(c) : c);
    if (form == expected) continue;
    return section.Error(absl::StrCat("makes \"", form, "\" of \"a", std::string(1, c),
                                      "b\", while SiglipTokenizer makes \"", expected, "\""));
  }
  const std::string blanks = form_of(" a \t\n b ");
  if (blanks == "a b" || blanks == "a▁b") return absl::OkStatus();
  return section.Error("leaves white space in a row, which SiglipTokenizer makes one blank");
}

}  // namespace terminus::tokenizer
