#include "common/tokenizer/embedding_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::tokenizer {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Words "a" and "b" with ids 0 and 1, and added tokens "<x>" and "<y>" with 2 and 3.
std::unique_ptr<const Tokenizer> Make() {
  auto tokenizer = Tokenizer::FromJson(R"({
      "model": {"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": {"a": 0, "b": 1}},
      "added_tokens": [
        {"id": 2, "content": "<x>", "single_word": false, "lstrip": false, "rstrip": false,
         "normalized": false, "special": false},
        {"id": 3, "content": "<y>", "single_word": false, "lstrip": false, "rstrip": false,
         "normalized": false, "special": true}],
      "pre_tokenizer": {"type": "Whitespace"}})");
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  return *std::move(tokenizer);
}

TEST(EmbeddingRowsTest, TokensBeyondAreNamed) {
  const auto tokenizer = Make();
  EXPECT_THAT(TokensBeyond(*tokenizer, 4), IsEmpty());
  EXPECT_THAT(TokensBeyond(*tokenizer, 2),
              ElementsAre("token \"<x>\" with the id 2", "token \"<y>\" with the id 3"));
  EXPECT_EQ(TokensBeyondWarning("t.json", *tokenizer, 4), "");
  EXPECT_EQ(TokensBeyondWarning("t.json", *tokenizer, 3),
            "t.json: token \"<y>\" with the id 3: the model has embeddings of 3 tokens; what holds "
            "any other is refused");
}

TEST(EmbeddingRowsTest, IdsBeyondAreRefusedByName) {
  const auto tokenizer = Make();
  EXPECT_TRUE(CheckRows(*tokenizer, {0, 3}, 4).ok());
  const absl::Status refused = CheckRows(*tokenizer, {0, 2, 3}, 2);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.message(), "token \"<x>\" with the id 2: the model has embeddings of 2 tokens");
}

}  // namespace
}  // namespace terminus::tokenizer
