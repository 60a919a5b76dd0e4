// Compares ids and decoded texts of mixed lines with the library "tokenizers", for every kind of
// tokenizer.json. The golden comes from tests/golden/tokenizer/make_mixed_goldens.py.
// TERMINUS_MIXED_LINES names another file of that script, with other lines and tokenizers.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/tokenizer/golden_files.h"
#include "common/tokenizer/incremental_decoder.h"
#include "common/tokenizer/limits.h"
#include "common/tokenizer/tokenizer.h"

namespace terminus::tokenizer {
namespace {

using nlohmann::json;

// A file of the golden folder, a variant of one, or a path.
absl::StatusOr<std::unique_ptr<const Tokenizer>> LoadNamed(const std::string& name,
                                                           const json& kinds) {
  if (kinds.contains(name)) return Tokenizer::FromJson(ReadVariant(kinds[name]).dump());
  const auto text = base::ReadFile(name[0] == '/' ? name : kGoldenFolder + name, kMaxFileBytes);
  return text.ok() ? Tokenizer::FromJson(*text) : text.status();
}

std::string Hashed(absl::string_view text) { return absl::StrFormat("%08x", Fnv1a(text) >> 32); }

std::string DecodeOneByOne(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  IncrementalDecoder decoder(&tokenizer);
  std::string text;
  for (const int32_t id : ids) text += decoder.Push(id).value_or("");
  return text + decoder.Flush();
}

TEST(MixedLinesTest, AsTheLibrary) {
  const char* const other = std::getenv("TERMINUS_MIXED_LINES");
  std::ifstream file(other != nullptr ? other : std::string(kGoldenFolder) + "mixed_lines.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const auto names = json::parse(line).at("tokenizers").get<std::vector<std::string>>();
  const json kinds = ReadGoldenJson("kinds.json");
  std::vector<std::unique_ptr<const Tokenizer>> tokenizers;
  for (const std::string& name : names) {
    auto tokenizer = LoadNamed(name, kinds);
    ASSERT_TRUE(tokenizer.ok()) << name << ": " << tokenizer.status();
    tokenizers.push_back(*std::move(tokenizer));
  }
  size_t lines = 0;
  for (; std::getline(file, line); ++lines) {
    const json golden = json::parse(line);
    const auto text = golden.at("text").get<std::string>();
    for (size_t i = 0; i < tokenizers.size(); ++i) {
      const auto encoding = tokenizers[i]->Encode(text);
      ASSERT_TRUE(encoding.ok()) << encoding.status();
      const std::string ids = absl::StrJoin(encoding->ids, " ");
      EXPECT_EQ(Hashed(ids), golden.at("ids").at(i).get<std::string>())
          << names[i] << ": " << golden.at("text") << "\n"
          << ids;
      const auto decoded = tokenizers[i]->Decode(encoding->ids, /*skip_special_tokens=*/true);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(Hashed(*decoded), golden.at("texts").at(i).get<std::string>())
          << names[i] << ": " << golden.at("text") << "\n"
          << *decoded;
      EXPECT_EQ(DecodeOneByOne(*tokenizers[i], encoding->ids), *decoded) << names[i];
    }
  }
  EXPECT_GE(lines, 200u);
  RecordProperty("lines", static_cast<int>(lines));
}

}  // namespace
}  // namespace terminus::tokenizer
