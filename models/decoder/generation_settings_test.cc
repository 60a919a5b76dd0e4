#include "models/decoder/generation_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/base/temp_folder.h"
#include "common/settings/collector.h"

namespace terminus::models::decoder {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The effect of each key is compared with transformers in services/decoder/load.
class GenerationSettingsTest : public ::testing::Test {
 protected:
  GenerationSettingsTest() { Write("config.json", R"({"eos_token_id": 7, "top_k": 3})"); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() + "/" + name) << text;
  }

  GenerationSettings Read() {
    const auto settings = ReadGenerationSettings(folder_.path(), 100);
    EXPECT_TRUE(settings.ok()) << settings.status();
    return settings.ok() ? *settings : GenerationSettings();
  }

  // Empty when it is accepted.
  std::string Refused(const std::string& text) {
    Write("generation_config.json", text);
    return std::string(ReadGenerationSettings(folder_.path(), 100).status().message());
  }

  base::TempFolder folder_;
};

TEST_F(GenerationSettingsTest, ConfigCountsWhereThereIsNoOtherFile) {
  EXPECT_THAT(Read().eos_token_ids, ElementsAre(7));
  EXPECT_EQ(Read().top_k, 3u);
  Write("generation_config.json", "{}");
  const terminus::settings::Collector collector;
  EXPECT_THAT(Read().eos_token_ids, IsEmpty());
  EXPECT_EQ(Read().top_k, 50u);
  EXPECT_THAT(collector.warnings(), ElementsAre(HasSubstr("no eos_token_id")));
}

TEST_F(GenerationSettingsTest, TokensThatTheModelDoesNotHaveNeverCome) {
  Write("generation_config.json", R"({"eos_token_id": [7, 100], "suppress_tokens": [-1, 5]})");
  const terminus::settings::Collector collector;
  EXPECT_THAT(Read().eos_token_ids, ElementsAre(7));
  EXPECT_THAT(Read().rules.suppress_tokens, ElementsAre(5));
  EXPECT_THAT(collector.warnings(), ElementsAre(HasSubstr("eos_token_id: token 100 never comes"),
                                                HasSubstr("suppress_tokens: token -1")));
}

TEST_F(GenerationSettingsTest, NumbersOutOfBoundsAreNamed) {
  EXPECT_THAT(Refused(R"({"top_p": 1.5, "repetition_penalty": 0, "typical_p": 0, "top_h": 2})"),
              AllOf(HasSubstr("generation_config.json"), HasSubstr("top_p: 1.5"),
                    HasSubstr("repetition_penalty: 0, expected a number from 1e-30 to 1e+06"),
                    HasSubstr("typical_p"), HasSubstr("top_h: 2")));
  EXPECT_THAT(Refused(R"({"do_sample": true, "temperature": 0})"), HasSubstr("temperature"));
  EXPECT_EQ(Refused(R"({"do_sample": false, "temperature": 0, "eos_token_id": 1})"), "");
}

TEST_F(GenerationSettingsTest, ListsOfTokensAreChecked) {
  EXPECT_THAT(Refused(R"({"bad_words_ids": [[1], [100]]})"), HasSubstr("bad_words_ids"));
  EXPECT_THAT(Refused(R"({"bad_words_ids": [1]})"), HasSubstr("bad_words_ids"));
  EXPECT_THAT(Refused(R"x({"sequence_bias": {"(1,)": 2.0}})x"), HasSubstr("sequence_bias"));
  EXPECT_THAT(Refused(R"({"sequence_bias": [[[1], "x"]]})"), HasSubstr("sequence_bias"));
  EXPECT_THAT(Refused(R"({"eos_token_id": []})"), HasSubstr("eos_token_id"));
  EXPECT_THAT(Refused(R"({"eos_token_id": "x"})"), HasSubstr("eos_token_id: \"x\""));
  EXPECT_THAT(Refused(R"({"forced_bos_token_id": 100})"), HasSubstr("forced_bos_token_id: 100"));
  EXPECT_THAT(Refused(R"({"forced_eos_token_id": [3], "suppress_tokens": [3]})"),
              HasSubstr("forced_eos_token_id: forces only tokens"));
  EXPECT_THAT(Refused(R"({"stop_strings": ["a", ""]})"), HasSubstr("stop_strings"));
  EXPECT_THAT(Refused(R"({"exponential_decay_length_penalty": [1, 2.0]})"),
              HasSubstr("there is no eos_token_id"));
  EXPECT_THAT(Refused(R"({"exponential_decay_length_penalty": [1], "eos_token_id": 1})"),
              HasSubstr("exponential_decay_length_penalty: [1]"));
}

TEST_F(GenerationSettingsTest, WhatIsNotComputedIsRefusedByName) {
  EXPECT_THAT(
      Refused(R"({"num_beams": 4, "penalty_alpha": 0.6, "cache_implementation": "quantized"})"),
      AllOf(HasSubstr("num_beams: 4, supported is 1"), HasSubstr("penalty_alpha"),
            HasSubstr("cache_implementation")));
}

}  // namespace
}  // namespace terminus::models::decoder
