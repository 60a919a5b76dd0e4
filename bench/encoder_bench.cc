// Ours among the contenders of bench/area_cpu.py: the bundle's encoders, called as the services
// call them, with the line protocol of bench/peers/encoders.py:
//
//     encoder_bench --modality text|image --bundle FOLDER --inputs FOLDER --threads N
//
// prints "ready terminus VERSION", then reads lines until its input ends:
//     run CASE SECONDS     → "ran ITEMS SECONDS": whole passes over the case's batches
//     outputs CASE FILE    → "wrote ROWS COLUMNS": float32 vectors of every item, in order
// The inputs are those that bench/peers/make_inputs.py writes.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/executor/encoder.h"
#include "common/serving/passive_wait.h"
#include "models/bundle/bundle.h"
#include "models/bundle/manifest.h"

namespace terminus::bench {
namespace {

using executor::Embeddings;
using executor::Encoder;
using executor::ImageBatch;
using executor::TextBatch;
using Json = nlohmann::json;

constexpr size_t kMaxInputBytes = 256 << 20;

// Case name → its batches.
template <class Batch>
using Cases = std::map<std::string, std::vector<Batch>>;

absl::StatusOr<TextBatch> ReadBatch(const Json&, const Json& batch, const std::string&,
                                    TextBatch*) {
  return TextBatch{.token_ids = batch.get<std::vector<std::vector<int32_t>>>()};
}

absl::StatusOr<ImageBatch> ReadBatch(const Json& one_case, const Json& batch,
                                     const std::string& folder, ImageBatch*) {
  const auto shape = one_case.at("shape").get<std::vector<int>>();  // [count, height, width, 3]
  TERMINUS_ASSIGN_OR_RETURN(
      const std::string bytes,
      base::ReadFile(absl::StrCat(folder, "/", batch.get<std::string>()), kMaxInputBytes));
  return ImageBatch{.count = shape.at(0),
                    .height = shape.at(1),
                    .width = shape.at(2),
                    .pixels = base::RecycledBytes(bytes.begin(), bytes.end())};
}

template <class Batch>
absl::StatusOr<Cases<Batch>> ReadCases(const std::string& folder, const std::string& modality) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string text,
                            base::ReadFile(absl::StrCat(folder, "/inputs.json"), kMaxInputBytes));
  // The runner wrote it just now: what is wrong with it is our own bug, and may throw.
  const Json inputs = Json::parse(text);
  Cases<Batch> cases;
  for (const auto& [name, one_case] : inputs.at("cases").items()) {
    if (one_case.at("modality") != modality) {
      continue;
    }
    for (const Json& batch : one_case.at("batches")) {
      TERMINUS_ASSIGN_OR_RETURN(Batch read,
                                ReadBatch(one_case, batch, folder, static_cast<Batch*>(nullptr)));
      cases[name].push_back(std::move(read));
    }
  }
  return cases;
}

int Count(const TextBatch& batch) { return static_cast<int>(batch.token_ids.size()); }
int Count(const ImageBatch& batch) { return batch.count; }

template <class Batch>
absl::StatusOr<std::string> Run(Encoder<Batch>& encoder, const std::vector<Batch>& batches,
                                double limit_s) {
  const auto start = std::chrono::steady_clock::now();
  double elapsed_s = 0;
  int64_t items = 0;
  while (elapsed_s < limit_s) {
    for (const Batch& batch : batches) {
      TERMINUS_RETURN_IF_ERROR(encoder.Encode(batch).status());
      items += Count(batch);
    }
    elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return absl::StrCat("ran ", items, " ", elapsed_s);
}

template <class Batch>
absl::StatusOr<std::string> WriteOutputs(Encoder<Batch>& encoder, const std::vector<Batch>& batches,
                                         const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  int rows = 0;
  for (const Batch& batch : batches) {
    TERMINUS_ASSIGN_OR_RETURN(const Embeddings vectors, encoder.Encode(batch));
    file.write(reinterpret_cast<const char*>(vectors.values.data()),
               static_cast<std::streamsize>(vectors.values.size() * sizeof(float)));
    rows += vectors.count;
  }
  if (!file.flush()) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path));
  }
  return absl::StrCat("wrote ", rows, " ", encoder.dimension());
}

template <class Batch>
absl::StatusOr<std::string> Answer(Encoder<Batch>& encoder, const Cases<Batch>& cases,
                                   const std::string& line) {
  std::istringstream fields(line);
  std::string command, name, argument;
  fields >> command >> name >> argument;
  const auto found = cases.find(name);
  if (found != cases.end() && command == "run") {
    return Run(encoder, found->second, std::stod(argument));
  }
  if (found != cases.end() && command == "outputs") {
    return WriteOutputs(encoder, found->second, argument);
  }
  return absl::InvalidArgumentError(absl::StrCat("not a command: ", line));
}

template <class Batch>
absl::Status Serve(Encoder<Batch>& encoder, const std::string& inputs,
                   const std::string& modality) {
  TERMINUS_ASSIGN_OR_RETURN(const Cases<Batch> cases, ReadCases<Batch>(inputs, modality));
  std::cout << "ready terminus " << kVersion << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string answer, Answer(encoder, cases, line));
    std::cout << answer << std::endl;
  }
  return absl::OkStatus();
}

absl::Status LoadAndServe(const std::string& modality, const std::string& bundle, int threads,
                          const std::string& inputs) {
  TERMINUS_ASSIGN_OR_RETURN(const auto manifest, models::bundle::ReadManifest(bundle));
  const models::bundle::DeviceOptions device{.device = "cpu", .threads = threads};
  if (modality == "text") {
    TERMINUS_ASSIGN_OR_RETURN(const auto model, models::bundle::LoadText(manifest, device));
    return Serve(*model.encoder, inputs, modality);
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto model, models::bundle::LoadVision(manifest, device));
  return Serve(*model.encoder, inputs, modality);
}

int Main(int argc, char** argv) {
  // As in the services.
  serving::RestartWithPassiveWait(argv);
  // What is logged must not come between the lines of the protocol.
  base::InitLog("encoder_bench", "warn");
  CLI::App app("Times the bundle's encoders, told line by line.", "encoder_bench");
  std::string modality, bundle, inputs;
  int threads = 0;
  app.add_option("--modality", modality)->required()->check(CLI::IsMember({"text", "image"}));
  app.add_option("--bundle", bundle)->required();
  app.add_option("--inputs", inputs)->required();
  app.add_option("--threads", threads)->required()->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  const absl::Status status = LoadAndServe(modality, bundle, threads, inputs);
  if (!status.ok()) {
    std::fprintf(stderr, "encoder_bench: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
