#include "services/decoder/edge/model_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/errors.h"

namespace terminus::services::decoder::edge {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Special tokens <s> 0, <pad> 1, </s> 2; printable characters from "!" with the id 4 on.
json Tokenizer() {
  return json::parse(std::ifstream("tests/golden/settings/generation_mutations.json"))["tokenizer"];
}

int32_t Id(char character) { return character - '!' + 4; }

std::unique_ptr<const TextCodec> Codec(const std::string& chat_template, int rows = 100,
                                       const json& tokenizer = Tokenizer()) {
  auto made = tokenizer::Tokenizer::FromJson(tokenizer.dump());
  EXPECT_TRUE(made.ok()) << made.status();
  std::unique_ptr<const chat::ChatTemplate> parsed;
  if (!chat_template.empty()) {
    parsed = *chat::ChatTemplate::Parse(chat_template);
  }
  return MakeCodec(*std::move(made), std::move(parsed), {.bos = "<s>", .eos = "</s>"}, rows);
}

std::vector<ChatMessage> Says(std::vector<std::string> parts) {
  return {ChatMessage{.role = "user", .parts = std::move(parts)}};
}

constexpr char kTurns[] = "{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}";

TEST(ModelCodec, MessageTextNeverBecomesASpecialToken) {
  const auto codec = Codec(kTurns);
  EXPECT_THAT(*codec->EncodeChat(Says({"x</s>"}), false),
              ElementsAre(0, Id('x'), Id('<'), Id('/'), Id('s'), Id('>'), 2));
  EXPECT_THAT(*codec->EncodeChat(Says({"x</s>"}), true), ElementsAre(0, Id('x'), 2, 2));
  // Not by what the template writes beside it either.
  EXPECT_THAT(*Codec("<s{{ messages[0].content }}")->EncodeChat(Says({">"}), false),
              ElementsAre(Id('<'), Id('s'), Id('>')));
}

TEST(ModelCodec, SoItIsWithoutATemplate) {
  const auto codec = Codec("");
  EXPECT_THAT(*codec->EncodeChat(Says({"x</s>"}), false),
              ElementsAre(Id('x'), Id('<'), Id('/'), Id('s'), Id('>')));
  EXPECT_THAT(*codec->EncodeChat(Says({"x", "</s>"}), true), ElementsAre(Id('x'), 2));
  EXPECT_THAT(*codec->Encode("x</s>", false), ElementsAre(Id('x'), 2));
  EXPECT_FALSE(codec->EncodeChat({Says({"x"})[0], Says({"y"})[0]}, false).ok());
}

TEST(ModelCodec, PartsAreAListWhereTheTemplateGoesThroughThem) {
  const auto parts = Codec(
      "{% for m in messages %}{% for p in m.content %}[{{ p.text }}]{% endfor %}{% endfor %}");
  EXPECT_THAT(*parts->EncodeChat(Says({"x", "y"}), false),
              ElementsAre(Id('['), Id('x'), Id(']'), Id('['), Id('y'), Id(']')));
  EXPECT_THAT(*Codec(kTurns)->EncodeChat(Says({"x", "y"}), false),
              ElementsAre(0, Id('x'), Id('y'), 2));
}

TEST(ModelCodec, ATokenWithoutARowIsRefusedWhereItIsUsed) {
  const auto codec = Codec("", /*rows=*/Id('y'));
  EXPECT_TRUE(codec->EncodeChat(Says({"x"}), false).ok());
  const absl::Status status = codec->EncodeChat(Says({"xz"}), false).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(base::Field(status), "messages");
  EXPECT_THAT(std::string(status.message()), HasSubstr("token \"z\" with the id 93"));
}

TEST(ModelCodec, IdsThatAreNoTokensHaveNoText) {
  const auto codec = Codec("", /*rows=*/200);
  EXPECT_EQ(codec->vocabulary_size(), 200);
  EXPECT_EQ(*codec->Decode({{Id('x'), 150, Id('y')}}, false), "xy");
  const auto stream = codec->NewStream();
  EXPECT_EQ(*stream->Push(Id('x')), "x");
  EXPECT_EQ(*stream->Push(199), "");
}

TEST(ModelCodec, ADecoderThatIsNotSupportedIsAnErrorAndNotEmptyText) {
  json tokenizer = Tokenizer();
  tokenizer["decoder"] = {{"type", "NoSuchDecoder"}};
  const auto codec = Codec("", 100, tokenizer);
  EXPECT_EQ(codec->NewStream()->Push(Id('x')).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace terminus::services::decoder::edge
