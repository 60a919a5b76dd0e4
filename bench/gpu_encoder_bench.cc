// Ours among the contenders of bench/area_gpu.py: an encoder of a folder on the first GPU, with the
// line protocol of bench/peers/gpu_encoders.py:
//
//     gpu_encoder_bench --modality text|image --folder FOLDER --inputs FOLDER [--precision P]
//
// prints "ready terminus VERSION", then reads lines until its input ends:
//     run CASE BATCH SECONDS     → "ran ITEMS SECONDS"
//     outputs CASE BATCH FILE    → "wrote ROWS COLUMNS": float32 vectors of the first BATCH inputs
//     kernels CASE BATCH PASSES  → "kernels WALL_US JSON": what the GPU did in so many passes, as
//                                  [[name, count, microseconds], …], most time first
// Cases: "device" is the model alone: images lie on the GPU as bytes, vectors stay there, and only
// the last of a run is waited for, as with the peers; "encode" is all that a service has the
// encoder do, from bytes in memory to vectors in memory. Texts are token ids in memory in both.
#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "bench/kernel_profile.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/executor/guard.h"
#include "models/bundle/device.h"
#include "models/bundle/preprocessor_file.h"
#include "models/text/text_encoder.h"
#include "models/vision/vision_encoder.h"

namespace terminus::bench {
namespace {

constexpr size_t kMaxInputBytes = 256 << 20;
constexpr int kMaxBatch = 256;

// One pass over a batch, and the wait for what was put into the device's queue so far.
class Contender {
 public:
  virtual ~Contender() = default;
  virtual absl::Status Pass(const std::string& name, int batch) = 0;
  virtual void Wait() = 0;
  virtual absl::StatusOr<executor::Embeddings> Outputs(const std::string& name, int batch) = 0;
};

class Images : public Contender {
 public:
  // FOLDER/images.u8: whole images of the model's size, [count, height, width, 3].
  static absl::StatusOr<std::unique_ptr<Contender>> Load(const std::string& folder,
                                                         const std::string& inputs,
                                                         const models::nn::Placement& placement) {
    auto made = std::make_unique<Images>();
    TERMINUS_ASSIGN_OR_RETURN(
        const auto preprocessor,
        models::bundle::ReadPreprocessorFile(folder, media::Conversion::kLikeTransformers));
    TERMINUS_ASSIGN_OR_RETURN(made->encoder_,
                              models::vision::VisionEncoder::Load(folder, preprocessor, placement));
    TERMINUS_RETURN_IF_ERROR(made->encoder_->Prepare(kMaxBatch));
    TERMINUS_ASSIGN_OR_RETURN(const std::string bytes,
                              base::ReadFile(absl::StrCat(inputs, "/images.u8"), kMaxInputBytes));
    const auto image = static_cast<size_t>(preprocessor.height()) * preprocessor.width() * 3;
    made->all_ = {.count = static_cast<int>(bytes.size() / image),
                  .height = preprocessor.height(),
                  .width = preprocessor.width(),
                  .pixels = base::RecycledBytes(bytes.begin(), bytes.end())};
    made->on_device_ =
        at::from_blob(made->all_.pixels.data(),
                      {made->all_.count, made->all_.height, made->all_.width, 3}, at::kByte)
            .to(placement.device);
    return made;
  }

  absl::Status Pass(const std::string& name, int batch) override {
    if (name == "device") {
      last_ = encoder_->EncodePixels(on_device_.slice(0, 0, batch));
      return absl::OkStatus();
    }
    return encoder_->Encode(First(batch)).status();
  }

  void Wait() override {
    if (last_.defined()) {
      last_.cpu();
    }
  }

  absl::StatusOr<executor::Embeddings> Outputs(const std::string& name, int batch) override {
    if (name != "device") {
      return encoder_->Encode(First(batch));
    }
    const at::Tensor vectors =
        encoder_->EncodePixels(on_device_.slice(0, 0, batch)).cpu().contiguous();
    const auto* begin = vectors.const_data_ptr<float>();
    return executor::Embeddings{.count = batch,
                                .dimension = encoder_->dimension(),
                                .values = {begin, begin + vectors.numel()}};
  }

 private:
  // Kept from one pass to the next: a service does not copy a batch either.
  const executor::ImageBatch& First(int count) {
    if (first_.count != count) {
      first_ = all_;
      first_.count = count;
      first_.pixels.resize(static_cast<size_t>(count) * all_.height * all_.width * 3);
    }
    return first_;
  }

  std::unique_ptr<models::vision::VisionEncoder> encoder_;
  executor::ImageBatch all_;
  executor::ImageBatch first_;
  at::Tensor on_device_;
  at::Tensor last_;
};

class Texts : public Contender {
 public:
  // FOLDER/texts.json: token ids of each text.
  static absl::StatusOr<std::unique_ptr<Contender>> Load(const std::string& folder,
                                                         const std::string& inputs,
                                                         const models::nn::Placement& placement) {
    auto made = std::make_unique<Texts>();
    TERMINUS_ASSIGN_OR_RETURN(made->encoder_, models::text::TextEncoder::Load(folder, placement));
    TERMINUS_ASSIGN_OR_RETURN(const std::string text,
                              base::ReadFile(absl::StrCat(inputs, "/texts.json"), kMaxInputBytes));
    // The runner wrote it just now: what is wrong with it is our own bug, and may throw.
    made->all_ = nlohmann::json::parse(text).get<std::vector<std::vector<int32_t>>>();
    return made;
  }

  absl::Status Pass(const std::string& name, int batch) override {
    if (name == "device") {
      last_ = encoder_->Forward(First(batch), 0, static_cast<size_t>(batch));
      return absl::OkStatus();
    }
    return encoder_->Encode(First(batch)).status();
  }

  void Wait() override {
    if (last_.defined()) {
      last_.cpu();
    }
  }

  absl::StatusOr<executor::Embeddings> Outputs(const std::string& /*name*/, int batch) override {
    return encoder_->Encode(First(batch));
  }

 private:
  const executor::TextBatch& First(int count) {
    if (first_.token_ids.size() != static_cast<size_t>(count)) {
      first_.token_ids.assign(all_.begin(), all_.begin() + count);
    }
    return first_;
  }

  std::unique_ptr<models::text::TextEncoder> encoder_;
  std::vector<std::vector<int32_t>> all_;
  executor::TextBatch first_;
  at::Tensor last_;
};

absl::StatusOr<std::string> Run(Contender& contender, const std::string& name, int batch,
                                double limit_s) {
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed_s = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  int64_t items = 0;
  while (elapsed_s() < limit_s) {
    // As many as keep the device's queue filled, and not so many that the limit is far exceeded.
    for (int i = 0; i < 4; ++i) {
      TERMINUS_RETURN_IF_ERROR(contender.Pass(name, batch));
      items += batch;
    }
    contender.Wait();
  }
  return absl::StrCat("ran ", items, " ", elapsed_s());
}

absl::StatusOr<std::string> Profile(Contender& contender, const std::string& name, int batch,
                                    int passes) {
  absl::Status status;
  double wall_us = 0;
  const auto run = [&] {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < passes && status.ok(); ++i) {
      status = contender.Pass(name, batch);
    }
    contender.Wait();
    wall_us =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  };
  // The first profile of a process sets CUDA's own tracing up.
  ProfileKernels(run);
  auto kernels = nlohmann::json::array();
  for (const KernelTime& kernel : ProfileKernels(run)) {
    kernels.push_back({kernel.name, kernel.count, kernel.microseconds});
  }
  TERMINUS_RETURN_IF_ERROR(status);
  return absl::StrCat("kernels ", wall_us, " ", kernels.dump());
}

absl::StatusOr<std::string> Answer(Contender& contender, const std::string& line) {
  std::istringstream fields(line);
  std::string command, name, argument;
  int batch = 0;
  fields >> command >> name >> batch >> argument;
  if (batch < 1 || batch > kMaxBatch) {
    return absl::InvalidArgumentError(absl::StrCat("not a command: ", line));
  }
  if (command == "run") {
    return Run(contender, name, batch, std::stod(argument));
  }
  if (command == "kernels") {
    return Profile(contender, name, batch, std::stoi(argument));
  }
  TERMINUS_ASSIGN_OR_RETURN(const executor::Embeddings vectors, contender.Outputs(name, batch));
  std::ofstream file(argument, std::ios::binary);
  file.write(reinterpret_cast<const char*>(vectors.values.data()),
             static_cast<std::streamsize>(vectors.values.size() * sizeof(float)));
  if (!file.flush()) {
    return absl::UnavailableError(absl::StrCat("cannot write ", argument));
  }
  return absl::StrCat("wrote ", vectors.count, " ", vectors.dimension);
}

absl::Status Serve(const std::string& modality, const std::string& folder,
                   const std::string& inputs, const std::string& precision) {
  const c10::InferenceMode inference;
  TERMINUS_ASSIGN_OR_RETURN(const auto placement,
                            models::bundle::ResolvePlacement("cuda:0", precision));
  TERMINUS_ASSIGN_OR_RETURN(const auto contender, modality == "text"
                                                      ? Texts::Load(folder, inputs, placement)
                                                      : Images::Load(folder, inputs, placement));
  std::cout << "ready terminus " << kVersion << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string answer, Answer(*contender, line));
    std::cout << answer << std::endl;
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  // What is logged must not come between the lines of the protocol.
  base::InitLog("gpu_encoder_bench", "warn");
  CLI::App app("Times an encoder on the first GPU, told line by line.", "gpu_encoder_bench");
  std::string modality, folder, inputs;
  std::string precision = "bfloat16";
  app.add_option("--modality", modality)->required()->check(CLI::IsMember({"text", "image"}));
  app.add_option("--folder", folder)->required();
  app.add_option("--inputs", inputs)->required();
  app.add_option("--precision", precision);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status =
      executor::RunGuarded([&] { return Serve(modality, folder, inputs, precision); });
  if (!status.ok()) {
    std::fprintf(stderr, "gpu_encoder_bench: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
