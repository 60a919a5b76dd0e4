#include "services/text/text_frontend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "common/base/errors.h"

namespace terminus::services::text {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// [PAD] [UNK] [CLS] [SEP] and a few words.
constexpr char kTokenizerJson[] = R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [
    {"id": 1, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": false, "special": true},
    {"id": 2, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": false, "special": true},
    {"id": 3, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": false, "special": true}],
  "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                 "strip_accents": null, "lowercase": true},
  "pre_tokenizer": {"type": "BertPreTokenizer"},
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}},
               {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                       "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
  "decoder": null,
  "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "cat": 5,
                      "query": 6, ":": 7}}})";

class TextFrontendTest : public testing::Test {
 protected:
  TextFrontend Make(int max_tokens, int embedding_rows = 8) {
    auto tokenizer = tokenizer::Tokenizer::FromJson(tokenizer_json_);
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    config::Limits limits;
    limits.max_text_bytes = 1000;
    return TextFrontend(*std::move(tokenizer),
                        {.max_tokens = max_tokens,
                         .max_tokens_source = "max_seq_length of sentence_bert_config.json",
                         .embedding_rows = embedding_rows,
                         .prompts = {{"query", "query: "}},
                         .default_prompt = default_prompt_},
                        limits);
  }

  serving::Prepared<executor::TextBatch> Prepare(const TextFrontend& frontend,
                                                 const v1::EncodeBatchRequest& request) {
    const std::vector<absl::Status> admitted(static_cast<size_t>(request.items_size()));
    return frontend.Prepare(request, admitted, pool_);
  }

  base::ThreadPool pool_{"test", 2, 64};
  std::string tokenizer_json_ = kTokenizerJson;
  std::string default_prompt_;
};

void AddText(v1::EncodeBatchRequest& request, const std::string& text,
             v1::Truncate truncate = v1::TRUNCATE_END, const std::string& prompt = "") {
  v1::EncodeItem* item = request.add_items();
  item->mutable_content()->set_text(text);
  item->set_truncate(truncate);
  item->set_prompt_name(prompt);
}

TEST_F(TextFrontendTest, TokenisesWithSpecialTokensAndCountsCost) {
  v1::EncodeBatchRequest request;
  AddText(request, "a cat");
  const auto prepared = Prepare(Make(16), request);
  EXPECT_THAT(prepared.batch.token_ids, ElementsAre(ElementsAre(2, 4, 5, 3)));
  EXPECT_EQ(prepared.items[0].cost.tokens(), 4u);
  EXPECT_FALSE(prepared.items[0].truncated);
  EXPECT_DOUBLE_EQ(prepared.bytes_per_token, 5.0 / 4.0);
}

TEST_F(TextFrontendTest, LongTextIsCutOrRefused) {
  v1::EncodeBatchRequest request;
  AddText(request, "cat cat cat cat", v1::TRUNCATE_END);
  AddText(request, "cat cat cat cat", v1::TRUNCATE_NONE);
  AddText(request, "cat cat", v1::TRUNCATE_NONE);
  const auto prepared = Prepare(Make(4), request);
  EXPECT_THAT(prepared.batch.token_ids,
              ElementsAre(ElementsAre(2, 5, 5, 3), ElementsAre(2, 5, 5, 3)));
  EXPECT_TRUE(prepared.items[0].truncated);
  EXPECT_EQ(base::Reason(prepared.items[1].status), "TEXT_TOO_LONG");
  EXPECT_THAT(
      std::string(prepared.items[1].status.message()),
      HasSubstr("6 tokens, limit 4; the limit is max_seq_length of sentence_bert_config.json"));
  EXPECT_TRUE(prepared.items[2].status.ok());
}

TEST_F(TextFrontendTest, AnEmptyTextIsFineWhileItHasTokens) {
  v1::EncodeBatchRequest request;
  AddText(request, "");
  AddText(request, "", v1::TRUNCATE_END, "query");
  EXPECT_THAT(Prepare(Make(16), request).batch.token_ids,
              ElementsAre(ElementsAre(2, 3), ElementsAre(2, 6, 7, 3)));
  tokenizer_json_ = absl::StrReplaceAll(
      kTokenizerJson, {{R"("post_processor": {)", R"("post_processor": null, "other": {)"}});
  const auto prepared = Prepare(Make(16), request);
  EXPECT_EQ(base::Reason(prepared.items[0].status), "EMPTY_ITEM");
  EXPECT_EQ(base::Field(prepared.items[0].status), "text");
  EXPECT_THAT(prepared.batch.token_ids, ElementsAre(ElementsAre(6, 7)));
}

TEST_F(TextFrontendTest, TheDefaultPromptIsOfItemsThatNameNone) {
  default_prompt_ = "a ";
  v1::EncodeBatchRequest request;
  AddText(request, "cat");
  AddText(request, "cat", v1::TRUNCATE_END, "query");
  EXPECT_THAT(Prepare(Make(16), request).batch.token_ids,
              ElementsAre(ElementsAre(2, 4, 5, 3), ElementsAre(2, 6, 7, 5, 3)));
}

TEST_F(TextFrontendTest, BadItemsFailAlone) {
  v1::EncodeBatchRequest request;
  AddText(request, "cat", v1::TRUNCATE_END, "nonesuch");
  AddText(request, "cat \xff");
  AddText(request, std::string(1001, 'a'));
  AddText(request, "cat", v1::TRUNCATE_END, "nonesuch");
  request.add_items()->mutable_content()->set_image("x");
  AddText(request, "cat");
  const auto prepared = Prepare(Make(16), request);
  EXPECT_EQ(base::Reason(prepared.items[0].status), "UNKNOWN_PROMPT");
  EXPECT_EQ(base::Reason(prepared.items[1].status), "INVALID_UTF8");
  EXPECT_EQ(base::Reason(prepared.items[2].status), "TEXT_TOO_LONG");
  EXPECT_EQ(base::Reason(prepared.items[3].status), "UNKNOWN_PROMPT");
  EXPECT_THAT(std::string(prepared.items[3].status.message()), HasSubstr("query"));
  EXPECT_EQ(base::Reason(prepared.items[4].status), "UNSUPPORTED_MODALITY");
  EXPECT_TRUE(prepared.items[5].status.ok());
  EXPECT_EQ(prepared.batch.token_ids.size(), 1u);
}

TEST_F(TextFrontendTest, ATokenWithoutAnEmbeddingFailsItsItem) {
  v1::EncodeBatchRequest request;
  AddText(request, "cat query");
  AddText(request, "cat");
  const auto prepared = Prepare(Make(16, /*embedding_rows=*/6), request);
  EXPECT_EQ(prepared.items[0].status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(prepared.items[0].status.message()),
              HasSubstr("token \"query\" with the id 6: the model has embeddings of 6 tokens"));
  EXPECT_THAT(prepared.batch.token_ids, ElementsAre(ElementsAre(2, 5, 3)));
}

TEST_F(TextFrontendTest, PromptGoesInFront) {
  v1::EncodeBatchRequest request;
  AddText(request, "cat", v1::TRUNCATE_END, "query");
  EXPECT_THAT(Prepare(Make(16), request).batch.token_ids, ElementsAre(ElementsAre(2, 6, 7, 5, 3)));
}

TEST_F(TextFrontendTest, ItemsNotAdmittedArePassedOver) {
  v1::EncodeBatchRequest request;
  AddText(request, "cat");
  AddText(request, "a");
  const std::vector<absl::Status> admitted = {absl::DeadlineExceededError("late"),
                                              absl::OkStatus()};
  const auto prepared = Make(16).Prepare(request, admitted, pool_);
  EXPECT_EQ(prepared.items[0].status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(prepared.batch.token_ids, ElementsAre(ElementsAre(2, 4, 3)));
}

}  // namespace
}  // namespace terminus::services::text
