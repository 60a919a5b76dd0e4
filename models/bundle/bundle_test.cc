#include "models/bundle/bundle.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/base/temp_folder.h"
#include "common/settings/collector.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/bundle/plain_folder.h"
#include "models/catalog/catalog.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::models::bundle {
namespace {

using base::TempFolder;
using checkpoint::ReadGolden;
using checkpoint::WriteTestFile;
using nlohmann::json;
using testing::AllOf;
using testing::FloatNear;
using testing::HasSubstr;
using testing::Pointwise;
using testing::UnorderedElementsAreArray;

constexpr char kPicture[] = "golden/picture.png";

// WordPiece over a handful of words; ids below the model's vocabulary of 101.
json TinyTokenizer() {
  json vocabulary = {{"[PAD]", 0}, {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3}};
  for (const char* word : {"a", "cat", "dog", "the", "over", "fox", "##s", "."}) {
    vocabulary[word] = 4 + static_cast<int>(vocabulary.size());
  }
  const auto special = [](const char* token, int id) {
    return json{{"id", id},        {"content", token},    {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", true}};
  };
  return {
      {"version", "1.0"},
      {"added_tokens",
       {special("[PAD]", 0), special("[UNK]", 1), special("[CLS]", 2), special("[SEP]", 3)}},
      {"normalizer",
       {{"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", true},
        {"strip_accents", nullptr},
        {"lowercase", true}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "[CLS]"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
          {{"SpecialToken", {{"id", "[SEP]"}, {"type_id", 0}}}}}},
        {"pair", json::array()},
        {"special_tokens",
         {{"[CLS]", {{"id", "[CLS]"}, {"ids", {2}}, {"tokens", {"[CLS]"}}}},
          {"[SEP]", {{"id", "[SEP]"}, {"ids", {3}}, {"tokens", {"[SEP]"}}}}}}}},
      {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
      {"model",
       {{"type", "WordPiece"},
        {"unk_token", "[UNK]"},
        {"continuing_subword_prefix", "##"},
        {"max_input_chars_per_word", 100},
        {"vocab", vocabulary}}},
  };
}

// A whole bundle: text of 64 dimensions, images of 64×64 pixels projected to the same.
class BundleTest : public testing::Test {
 protected:
  BundleTest() {
    const json text = ReadGolden("bert_mean");
    Write("text/config.json", text["config"].dump());
    Write("text/tokenizer.json", TinyTokenizer().dump());
    WriteWeights("text/model.safetensors", text["tensors"]);
    const json image = ReadGolden("tf_efficientnet_lite0");
    Write("vision/config.json", image["config"].dump());
    Write("vision/preprocessor_config.json",
          R"({"do_resize": true, "size": {"height": 64, "width": 64}, "do_center_crop": false,
              "do_normalize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]})");
    WriteWeights("vision/model.safetensors", image["tensors"]);
    WriteWeights("projections/names.safetensors", json::parse(R"([["class_vectors", [40, 64]]])"));
    std::filesystem::create_directories(Path("golden"));
    std::filesystem::copy_file("tests/golden/media/interlaced.png", Path(kPicture));
    WriteBundle("");
  }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  void Write(const std::string& name, const std::string& content) {
    WriteTestFile(Path(name), content);
  }

  void WriteWeights(const std::string& name, const json& tensors) {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    ASSERT_TRUE(checkpoint::WriteFakeWeights(Path(name), tensors).ok());
  }

  void WriteBundle(const std::string& more, const std::string& dimension = "64") {
    Write("bundle.yaml",
          "format: 1\nname: tiny\nspace:\n  id: 0123456789abcdef0123456789abcdef\n"
          "  dimension: " +
              dimension +
              "\n"
              "text:\n  path: text\n"
              "vision:\n  path: vision\n  projection:\n    type: class_mixture\n"
              "    path: projections/names.safetensors\n    top_k: 3\n" +
              more);
  }

  std::string ManifestError() {
    const auto manifest = ReadManifest(folder_.path());
    EXPECT_FALSE(manifest.ok());
    return std::string(manifest.status().message());
  }

  base::TempFolder folder_;
};

constexpr DeviceOptions kCpu = {.threads = 2};

std::vector<float> Normalized(std::vector<float> vector) {
  double sum = 0;
  for (const float element : vector) {
    sum += element * element;
  }
  for (float& element : vector) {
    element = static_cast<float>(element / std::sqrt(sum));
  }
  return vector;
}

TEST_F(BundleTest, LoadsBothModels) {
  const auto manifest = ReadManifest(folder_.path());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->name, "tiny");
  EXPECT_EQ(manifest->space.id, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(manifest->vision->projection->top_k, 3);
  const auto text = LoadText(*manifest, kCpu);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->max_tokens, 64);
  EXPECT_EQ(text->device, "cpu");
  EXPECT_EQ(text->encoder->dimension(), 64);
  EXPECT_TRUE(VerifyText(*manifest, *text).ok());
  const auto vision = LoadVision(*manifest, kCpu);
  ASSERT_TRUE(vision.ok()) << vision.status();
  EXPECT_EQ(vision->preprocessor->width(), 64);
  EXPECT_EQ(vision->encoder->dimension(), 64);
  EXPECT_TRUE(VerifyVision(*manifest, *vision).ok());
}

TEST_F(BundleTest, VideoSharesTheImageTower) {
  WriteBundle("video:\n  tower: vision\n  frames: 3\n  pooling: mean\n");
  auto manifest = ReadManifest(folder_.path());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->video->tower, manifest->vision->path);
  ASSERT_TRUE(manifest->video->projection.has_value());
  EXPECT_EQ(manifest->video->projection->path, manifest->vision->projection->path);
  const auto video = LoadVideo(*manifest, kCpu);
  ASSERT_TRUE(video.ok()) << video.status();
  EXPECT_EQ(video->frames, 3);
  EXPECT_EQ(video->encoder->dimension(), 64);
  EXPECT_TRUE(VerifyVideo(*manifest, *video).ok()) << VerifyVideo(*manifest, *video);

  // One frame's vector is the picture's.
  const auto vision = LoadVision(*manifest, kCpu);
  ASSERT_TRUE(vision.ok()) << vision.status();
  executor::ImageBatch picture{.count = 1, .height = 64, .width = 64};
  for (int i = 0; i < 64 * 64 * 3; ++i) picture.pixels.push_back(static_cast<uint8_t>(i * 7));
  const auto image = vision->encoder->Encode(picture);
  ASSERT_TRUE(image.ok()) << image.status();
  const auto clip = video->encoder->Encode({.frames = picture, .offsets = {0, 1}});
  ASSERT_TRUE(clip.ok()) << clip.status();
  EXPECT_THAT(clip->values, Pointwise(FloatNear(1e-5f), Normalized(image->values)));

  // A golden clip decides.
  std::filesystem::copy_file("tests/golden/media/video/vfr.gif", Path("golden/clip.gif"));
  const json golden = {{"tolerance", 1e-4},
                       {"video", {{{"path", "golden/clip.gif"}, {"vector", clip->values}}}}};
  Write("golden.json", golden.dump());
  manifest->golden_path = Path("golden.json");
  const absl::Status off = VerifyVideo(*manifest, *video);
  EXPECT_EQ(off.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(off.message()), AllOf(HasSubstr("clip.gif"), HasSubstr("off by")));
}

TEST_F(BundleTest, VideoSectionIsChecked) {
  WriteBundle("video:\n  tower: nonesuch\n  frames: 0\n  pooling: max\n  tempo: 3\n");
  EXPECT_THAT(ManifestError(),
              AllOf(HasSubstr("video.tower"), HasSubstr("nonesuch"), HasSubstr("video.frames: 0"),
                    HasSubstr("\"max\""), HasSubstr("video.tempo")));
  WriteBundle("");
  const absl::Status none = LoadVideo(*ReadManifest(folder_.path()), kCpu).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(none.message()),
              AllOf(HasSubstr("no video encoder"), HasSubstr("text, image")));
}

TEST_F(BundleTest, GoldensDecide) {
  auto manifest = ReadManifest(folder_.path());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const auto text = LoadText(*manifest, kCpu);
  const auto vision = LoadVision(*manifest, kCpu);
  ASSERT_TRUE(text.ok() && vision.ok()) << text.status() << vision.status();
  const auto ids = text->tokenizer->Encode("the cats.");
  ASSERT_TRUE(ids.ok()) << ids.status();
  auto expected = Normalized(text->encoder->Encode({{ids->ids}})->values);
  json golden = {{"tolerance", 1e-4},
                 {"text", {{{"input", "the cats."}, {"vector", expected}}}},
                 {"image", {{{"path", kPicture}, {"vector", expected}}}}};
  Write("golden.json", golden.dump());
  manifest->golden_path = Path("golden.json");
  EXPECT_TRUE(VerifyText(*manifest, *text).ok());
  // The text's vector is not the picture's.
  const absl::Status image = VerifyVision(*manifest, *vision);
  EXPECT_EQ(image.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(image.message()), AllOf(HasSubstr(kPicture), HasSubstr("off by")));

  golden["text"][0]["vector"][5] = expected[5] + 2e-4;
  Write("golden.json", golden.dump());
  EXPECT_EQ(VerifyText(*manifest, *text).code(), absl::StatusCode::kDataLoss);

  golden["text"][0]["vector"].erase(0);
  Write("golden.json", golden.dump());
  EXPECT_EQ(VerifyText(*manifest, *text).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(BundleTest, ManifestErrorsNameFileAndKey) {
  WriteBundle("    temprature: 2\n");
  EXPECT_THAT(ManifestError(), AllOf(HasSubstr("bundle.yaml"),
                                     HasSubstr("vision.projection.temprature: unknown key"),
                                     HasSubstr("temperature")));
  WriteBundle("golden:\n  path: nowhere.json\n", "many");
  EXPECT_THAT(ManifestError(), AllOf(HasSubstr("space.dimension: many"), HasSubstr("golden.path"),
                                     HasSubstr("nowhere.json")));
  Write("bundle.yaml", "format: 2\n");
  EXPECT_THAT(ManifestError(), AllOf(HasSubstr("format: 2"), HasSubstr("name: missing"),
                                     HasSubstr("space: missing")));
  Write("bundle.yaml", "format: [1\n");
  EXPECT_THAT(ManifestError(), HasSubstr("bundle.yaml"));
}

TEST_F(BundleTest, ModelsMustFitTheSpace) {
  WriteBundle("", "48");
  const auto manifest = ReadManifest(folder_.path());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_THAT(std::string(LoadText(*manifest, kCpu).status().message()),
              AllOf(HasSubstr("64"), HasSubstr("48")));
  EXPECT_THAT(std::string(LoadVision(*manifest, kCpu).status().message()),
              AllOf(HasSubstr("class_vectors"), HasSubstr("[40, 64]"), HasSubstr("[40, 48]")));
}

TEST_F(BundleTest, PlainFoldersAreServedAlone) {
  const auto text = ReadManifest(Path("text"));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->name, "text");
  EXPECT_EQ(text->space.dimension, 64);
  EXPECT_EQ(text->space.id.size(), 32u);
  EXPECT_FALSE(text->vision.has_value());
  EXPECT_EQ(LoadVision(*text, kCpu).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto text_model = LoadText(*text, kCpu);
  ASSERT_TRUE(text_model.ok()) << text_model.status();
  EXPECT_TRUE(VerifyText(*text, *text_model).ok());

  const auto vision = ReadManifest(Path("vision"));
  ASSERT_TRUE(vision.ok()) << vision.status();
  EXPECT_EQ(vision->space.dimension, 1280);
  EXPECT_NE(vision->space.id, text->space.id);
  const auto vision_model = LoadVision(*vision, kCpu);
  ASSERT_TRUE(vision_model.ok()) << vision_model.status();
  EXPECT_EQ(vision_model->preprocessor->conversion(), media::Conversion::kOverWhite);
  EXPECT_TRUE(VerifyVision(*vision, *vision_model).ok());
}

TEST_F(BundleTest, SpaceOfPlainFolderFollowsItsFiles) {
  const auto before = ReadManifest(Path("text"));
  Write("text/sentence_bert_config.json", R"({"max_seq_length": 32})");
  const auto after = ReadManifest(Path("text"));
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_NE(before->space.id, after->space.id);
  std::filesystem::copy(Path("text"), Path("elsewhere"));
  EXPECT_EQ(ReadManifest(Path("elsewhere"))->space.id, after->space.id);
}

TEST_F(BundleTest, RefusalsListWhatIsSupported) {
  const auto refusal = [](const std::string& folder) {
    const auto manifest = ReadManifest(folder);
    EXPECT_FALSE(manifest.ok());
    const std::string message(manifest.status().message());
    EXPECT_THAT(message, AllOf(HasSubstr("bundle.yaml"), HasSubstr("model_type \"bert\""),
                               HasSubstr("efficientnet_lite0")));
    return message;
  };
  EXPECT_THAT(refusal("/nonexistent"), HasSubstr("/nonexistent"));
  EXPECT_THAT(refusal(Path("golden")), HasSubstr("config.json"));
  std::filesystem::remove(Path("text/tokenizer.json"));
  EXPECT_THAT(refusal(Path("text")), HasSubstr("tokenizer.json"));
  Write("text/config.json", R"({"model_type": "t5"})");
  EXPECT_THAT(refusal(Path("text")), HasSubstr("t5"));
  std::filesystem::remove(Path("vision/model.safetensors"));
  EXPECT_THAT(refusal(Path("vision")), HasSubstr("model.safetensors"));
}

TEST_F(BundleTest, OneFolderServesTextsAndImages) {
  const json clip = ReadGolden("clip");
  Write("clip/config.json", clip["config"].dump());
  Write("clip/tokenizer.json", TinyTokenizer().dump());
  // CLIPTokenizer would want a BPE vocabulary.
  Write("clip/tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  Write("clip/preprocessor_config.json",
        json({{"do_center_crop", false},
              {"size", {{"height", clip["height"]}, {"width", clip["width"]}}},
              {"image_mean", clip["mean"]},
              {"image_std", clip["std"]}})
            .dump());
  WriteWeights("clip/model.safetensors", clip["tensors"]);
  const auto manifest = ReadManifest(Path("clip"));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->space.dimension, 24);
  EXPECT_NEAR(manifest->space.logit_scale, clip["logit_scale"].get<double>(), 1e-6);
  const auto text = LoadText(*manifest, kCpu);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->max_tokens, 77);
  EXPECT_TRUE(VerifyText(*manifest, *text).ok()) << VerifyText(*manifest, *text);
  const auto vectors =
      text->encoder->Encode({clip["token_ids"].get<std::vector<std::vector<int32_t>>>()});
  ASSERT_TRUE(vectors.ok()) << vectors.status();
  EXPECT_NEAR(vectors->values[0], clip["vectors"][0][0].get<float>(), 1e-4);
  const auto vision = LoadVision(*manifest, kCpu);
  ASSERT_TRUE(vision.ok()) << vision.status();
  EXPECT_EQ(vision->encoder->dimension(), 24);
  EXPECT_EQ(vision->preprocessor->conversion(), media::Conversion::kLikeTransformers);
  EXPECT_TRUE(VerifyVision(*manifest, *vision).ok()) << VerifyVision(*manifest, *vision);
}

TEST_F(BundleTest, TheProcessorFileOfTransformers5IsEnough) {
  const json clip = ReadGolden("clip");
  Write("clip/config.json", clip["config"].dump());
  Write("clip/tokenizer.json", TinyTokenizer().dump());
  // CLIPTokenizer would want a BPE vocabulary.
  Write("clip/tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  WriteWeights("clip/model.safetensors", clip["tensors"]);
  EXPECT_THAT(std::string(ReadManifest(Path("clip")).status().message()),
              HasSubstr("/preprocessor_config.json: no such file"));
  const json processor = {{"do_center_crop", false},
                          {"size", {{"height", clip["height"]}, {"width", clip["width"]}}},
                          {"image_mean", clip["mean"]},
                          {"image_std", clip["std"]}};
  Write("clip/processor_config.json", json{{"image_processor", processor}}.dump());
  const auto manifest = ReadManifest(Path("clip"));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const auto vision = LoadVision(*manifest, kCpu);
  ASSERT_TRUE(vision.ok()) << vision.status();
  EXPECT_EQ(vision->preprocessor->height(), clip["height"]);
}

TEST_F(BundleTest, PromptsAreThoseOfSentenceTransformers) {
  const json golden = ReadGolden("bge");
  Write("bge/config.json", golden["config"].dump());
  const json files = golden["files"];
  for (const auto& [name, content] : files.items()) {
    Write("bge/" + name, content.dump());
  }
  WriteWeights("bge/model.safetensors", golden["tensors"]);
  const auto manifest = ReadManifest(Path("bge"));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const auto text = LoadText(*manifest, kCpu);
  ASSERT_TRUE(text.ok()) << text.status();
  ASSERT_EQ(text->prompts.count("query"), 1u);
  const auto queries = golden["queries"].get<std::vector<std::string>>();
  for (size_t i = 0; i < 2 * queries.size(); ++i) {
    const std::string prompt = i < queries.size() ? "" : text->prompts.at("query");
    const auto ids = text->tokenizer->Encode(prompt + queries[i % queries.size()]);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(ids->ids, golden["token_ids"][i].get<std::vector<int32_t>>());
    const auto vector = text->encoder->Encode({{ids->ids}});
    ASSERT_TRUE(vector.ok()) << vector.status();
    EXPECT_THAT(vector->values,
                Pointwise(FloatNear(1e-4f), golden["vectors"][i].get<std::vector<float>>()));
  }
}

TEST_F(BundleTest, CatalogAndLoadersKnowTheSameFamilies) {
  std::vector<absl::string_view> texts, images;
  for (const catalog::Family& family : catalog::Families()) {
    if (family.text) texts.push_back(family.type);
    if (family.image) images.push_back(family.type);
  }
  EXPECT_THAT(TextFamilyNames(), UnorderedElementsAreArray(texts));
  EXPECT_THAT(VisionFamilyNames(), UnorderedElementsAreArray(images));
}

TEST_F(BundleTest, ATokenWithoutAnEmbeddingIsAWarning) {
  json tokenizer = TinyTokenizer();
  tokenizer["model"]["vocab"]["zebra"] = 101;
  Write("text/tokenizer.json", tokenizer.dump());
  const auto manifest = ReadManifest(folder_.path());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const terminus::settings::Collector collector;
  const auto text = LoadText(*manifest, kCpu);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(text->embedding_rows, 101);
  EXPECT_THAT(collector.warnings(),
              testing::Contains(AllOf(HasSubstr("text/tokenizer.json"),
                                      HasSubstr("token \"zebra\" with the id 101"))));
}

TEST_F(BundleTest, DeviceMustExist) {
  const auto manifest = ReadManifest(folder_.path());
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(LoadText(*manifest, {.device = "tpu"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(LoadText(*manifest, {.device = "cuda:99"}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(
      std::string(
          LoadText(*manifest, {.device = "cpu", .precision = "bfloat16"}).status().message()),
      AllOf(HasSubstr("bfloat16"), HasSubstr("float32")));
}

}  // namespace
}  // namespace terminus::models::bundle
