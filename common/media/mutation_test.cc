// Damaged pictures: what Pillow opens is decoded to the same pixels, what it refuses is refused
// (tests/golden/media/make_mutations.py).
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "common/media/decode.h"
#include "common/media/golden_test_util.h"

namespace terminus::media {
namespace {

using nlohmann::json;

// A longer run of the script may be replayed, too.
json Cases() {
  const char* path = std::getenv("TERMINUS_MEDIA_MUTATIONS");
  std::ifstream file(path == nullptr ? "tests/golden/media/mutations.json" : path);
  return json::parse(file)["cases"];
}

std::string Edited(std::string bytes, const json& edits) {
  for (const json& edit : edits) {
    const size_t at = std::min(edit[1].get<size_t>(), bytes.size());
    if (edit[0] == "cut") {
      bytes.resize(at);
    } else if (edit[0] == "erase") {
      bytes.erase(at, edit[2].get<size_t>());
    } else {
      const std::string value = absl::HexStringToBytes(edit[2].get<std::string>());
      bytes.replace(at, edit[0] == "set" ? value.size() : 0, value);
    }
  }
  return bytes;
}

// As result_of() of the script.
json ResultOf(const std::string& bytes) {
  const auto image = DecodeImage(bytes, {}, Conversion::kLikeTransformers);
  if (!image.ok()) {
    return "error";
  }
  return {image->width, image->height, crc32_z(0, image->rgb.data(), image->rgb.size())};
}

TEST(MediaMutationTest, DamagedPicturesAreWhatPillowMakesOfThem) {
  std::map<std::string, std::string> pictures;
  int opened = 0;
  for (const json& one : Cases()) {
    const std::string name = one[0];
    if (pictures.count(name) == 0) {
      pictures[name] = ReadGolden(name);
    }
    const std::string bytes = Edited(pictures[name], one[1]);
    const json result = ResultOf(bytes);
    EXPECT_EQ(result, one[2]) << name << " " << one[1].dump().substr(0, 300)
                              << DecodeImage(bytes, {}, Conversion::kLikeTransformers).status();
    opened += result == "error" ? 0 : 1;
  }
  EXPECT_GT(opened, 300);
}

}  // namespace
}  // namespace terminus::media
