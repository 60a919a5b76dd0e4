#include "tools/cli/model_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace terminus::tools::cli {
namespace {

using ::testing::HasSubstr;

v1::LoadModelResponse Loaded() {
  v1::LoadModelResponse loaded;
  loaded.mutable_model()->set_name("clip");
  loaded.mutable_model()->set_dimension(24);
  loaded.mutable_model()->set_space_id("abc");
  loaded.mutable_model()->add_modalities(v1::MODALITY_TEXT);
  loaded.mutable_model()->add_modalities(v1::MODALITY_IMAGE);
  v1::ReplicaLoad* text = loaded.add_replicas();
  text->set_service("text");
  text->set_address("unix:/t");
  text->set_outcome(v1::LOAD_OUTCOME_LOADED);
  v1::ReplicaLoad* video = loaded.add_replicas();
  video->set_service("video");
  video->set_address("unix:/v");
  video->set_outcome(v1::LOAD_OUTCOME_NOT_REACHED);
  video->set_detail("gone");
  return loaded;
}

TEST(ModelChangeTest, SaysWhatIsServedAndWhatCameOfEachReplica) {
  const std::string text = FormatLoaded(Loaded());
  EXPECT_THAT(text, HasSubstr("clip is served now: text, image; dimension 24, space abc\n"));
  EXPECT_THAT(text, HasSubstr("not reached"));
  EXPECT_THAT(text, HasSubstr("gone"));
}

TEST(ModelChangeTest, ALanguageModelAloneHasNoDimension) {
  v1::LoadModelResponse loaded;
  loaded.mutable_model()->set_name("smol");
  loaded.mutable_model()->set_generates(true);
  loaded.mutable_model()->set_space_id("abc");
  EXPECT_EQ(FormatLoaded(loaded), "smol is served now: generation; space abc\n");
}

TEST(ModelChangeTest, Json) {
  const nlohmann::json json = LoadedJson(Loaded());
  EXPECT_EQ(json["model"]["modalities"], nlohmann::json({"text", "image"}));
  EXPECT_EQ(json["replicas"][0]["outcome"], "loaded");
  EXPECT_EQ(json["replicas"][1]["detail"], "gone");
}

}  // namespace
}  // namespace terminus::tools::cli
