// Tokenizers of stages by chance against the library "tokenizers";
// tests/golden/settings/make_random_tokenizers.py writes down what it makes of them.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/settings/collector.h"
#include "common/tokenizer/golden_files.h"
#include "common/tokenizer/incremental_decoder.h"
#include "common/tokenizer/tokenizer.h"

namespace terminus::tokenizer {
namespace {

using Json = nlohmann::json;

// A committed file; a larger one of the same script where the environment names it.
std::string Path() {
  const char* const path = std::getenv("TERMINUS_RANDOM_TOKENIZERS");
  return path != nullptr ? path : "tests/golden/settings/random_tokenizers.jsonl";
}

Json DocumentOf(const Json& line) {
  Json document = ReadGoldenJson(line["base"].get<std::string>());
  for (const auto& [section, value] : line["patch"].items()) {
    if (section == "model") {
      document["model"].update(value);
    } else {
      document[section] = value;
    }
  }
  return document;
}

void ExpectSame(const Tokenizer& tokenizer, const Json& line) {
  for (const Json& text : line["texts"]) {
    const auto encoding = tokenizer.Encode(text[0].get<std::string>());
    ASSERT_TRUE(encoding.ok()) << encoding.status();
    EXPECT_EQ(Json(encoding->ids), text[1]) << text[0] << line["patch"];
    const auto decoded = tokenizer.Decode(text[1].get<std::vector<int32_t>>(), false);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, text[2].get<std::string>()) << text[1] << line["patch"];
  }
  for (const Json& list : line["lists"]) {
    const auto decoded = tokenizer.Decode(list[0].get<std::vector<int32_t>>(), false);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, list[1].get<std::string>()) << list[0] << line["patch"];
  }
}

TEST(RandomTokenizerTest, SameIdsAndTextsAsTheLibrary) {
  std::ifstream file(Path());
  int equal = 0;
  int refused = 0;
  for (std::string text; std::getline(file, text);) {
    const settings::Collector collector;
    const Json line = Json::parse(text);
    const auto tokenizer = Tokenizer::FromDocument(DocumentOf(line), {.decodes = true});
    if (!tokenizer.ok()) {
      ++refused;
      EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument);
      continue;
    }
    ++equal;
    ExpectSame(**tokenizer, line);
  }
  EXPECT_GT(equal, 50);
  EXPECT_GT(equal, 4 * refused) << equal << ", " << refused;
}

}  // namespace
}  // namespace terminus::tokenizer
