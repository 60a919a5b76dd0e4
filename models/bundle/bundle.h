#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/executor/encoder.h"
#include "common/media/preprocessor.h"
#include "common/tokenizer/tokenizer.h"
#include "models/bundle/manifest.h"
#include "models/bundle/verify_report.h"

// From a folder to models that are ready to serve. No torch in this header.
namespace terminus::models::bundle {

struct DeviceOptions {
  // "cpu", "cuda:N", or "auto"; see device.h.
  std::string device = "auto";
  // "float32", "bfloat16", "fp8" or "auto"; of encoders only.
  std::string precision = "auto";
  // Compute threads of LibTorch; 0: all cores. They count for the whole process.
  int threads = 0;
  // Make every check of a load, but read no weight and use no device. The model cannot compute.
  bool check_only = false;
};

struct TextModel {
  std::unique_ptr<executor::Encoder<executor::TextBatch>> encoder;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer;
  // Longest text in tokens, special tokens included.
  int max_tokens = 0;
  // Tokens that the model has embeddings of; the tokenizer may know more (embedding_rows.h).
  int embedding_rows = 0;
  // The key and the file that set max_tokens, for people.
  std::string max_tokens_source;
  // Texts to put in front, by name.
  std::map<std::string, std::string> prompts;
  // The same for texts that name none; empty: nothing.
  std::string default_prompt;
  // Where it computes: "cpu" or "cuda:N".
  std::string device;
  // What rounding alone may change of a vector's elements.
  double tolerance = 0;
};

struct VisionModel {
  std::unique_ptr<executor::Encoder<executor::ImageBatch>> encoder;
  std::unique_ptr<const media::ImagePreprocessor> preprocessor;
  std::string device;
  double tolerance = 0;
};

struct VideoModel {
  std::unique_ptr<executor::Encoder<executor::VideoBatch>> encoder;
  // Of each frame.
  std::unique_ptr<const media::ImagePreprocessor> preprocessor;
  // Frames of a clip that asks for no number of its own.
  int frames = 0;
  std::string device;
  double tolerance = 0;
};

// FAILED_PRECONDITION with the reason NOT_IN_BUNDLE when the manifest has no such section; says
// which it has.
absl::StatusOr<TextModel> LoadText(const BundleManifest& manifest, const DeviceOptions& options);
absl::StatusOr<VisionModel> LoadVision(const BundleManifest& manifest,
                                       const DeviceOptions& options);
absl::StatusOr<VideoModel> LoadVideo(const BundleManifest& manifest, const DeviceOptions& options);

// Encodes the bundle's golden contents, each alone and all in one batch, and compares both, scaled
// to length 1, with the golden vectors. A bundle without goldens is only checked for giving the
// same alone and in a batch. DATA_LOSS says which content is off, by how much, and the tolerance.
// What was compared goes to `report`, if there is one.
absl::Status VerifyText(const BundleManifest& manifest, const TextModel& model,
                        VerifyReport* report = nullptr);
absl::Status VerifyVision(const BundleManifest& manifest, const VisionModel& model,
                          VerifyReport* report = nullptr);
absl::Status VerifyVideo(const BundleManifest& manifest, const VideoModel& model,
                         VerifyReport* report = nullptr);

}  // namespace terminus::models::bundle
