// Writes what a model sees of image files, for bench/peers/preprocess_compare.py: float32
// [height, width, 3] of each, one after another. One line each on stdout: "ok" or what is wrong
// with it. Ends with the seconds that decoding and preprocessing took, on one thread.

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/media/decode.h"
#include "models/bundle/preprocessor_file.h"

namespace terminus::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxFileBytes = 64 << 20;

struct Spent {
  Clock::duration decode{};
  Clock::duration preprocess{};
};

absl::StatusOr<media::Image> Prepare(const media::ImagePreprocessor& preprocessor,
                                     const std::string& path, Spent* spent) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, kMaxFileBytes));
  const auto start = Clock::now();
  TERMINUS_ASSIGN_OR_RETURN(const media::Image image,
                            media::DecodeImage(bytes, {}, preprocessor.conversion()));
  const auto decoded = Clock::now();
  media::Image out = preprocessor.Run(image);
  spent->decode += decoded - start;
  spent->preprocess += Clock::now() - decoded;
  return out;
}

void WritePixels(const media::ImagePreprocessor& preprocessor, const media::Image& image,
                 std::ofstream* out) {
  std::vector<float> values(image.rgb.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const float rescaled = static_cast<float>(image.rgb[i]) * preprocessor.rescale_factor();
    values[i] = (rescaled - preprocessor.mean()[i % 3]) / preprocessor.std()[i % 3];
  }
  out->write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size() * sizeof(float)));
}

int Main(int argc, char** argv) {
  CLI::App app("What a model sees of image files", "preprocess_pixels");
  std::string folder;
  std::string list;
  std::string out_path;
  bool over_white = false;
  app.add_option("folder", folder, "With preprocessor_config.json")->required();
  app.add_option("list", list, "File with the path of an image a line")->required();
  app.add_option("out", out_path, "Where the pixels go")->required();
  app.add_flag("--over-white", over_white, "As timm folders have transparency and orientation");
  CLI11_PARSE(app, argc, argv);
  const auto preprocessor = models::bundle::ReadPreprocessorFile(
      folder, over_white ? media::Conversion::kOverWhite : media::Conversion::kLikeTransformers);
  if (!preprocessor.ok()) {
    std::fprintf(stderr, "%s\n", preprocessor.status().ToString().c_str());
    return 1;
  }
  std::ofstream out(out_path, std::ios::binary);
  std::ifstream paths(list);
  Spent spent;
  for (std::string path; std::getline(paths, path);) {
    const auto image = Prepare(*preprocessor, path, &spent);
    if (image.ok()) WritePixels(*preprocessor, *image, &out);
    std::puts(image.ok() ? "ok" : std::string(image.status().message()).c_str());
  }
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  std::printf("decode %.4f s, preprocess %.4f s\n", seconds(spent.decode),
              seconds(spent.preprocess));
  return out.good() ? 0 : 1;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
