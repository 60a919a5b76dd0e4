#include "common/media/golden_test_util.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace terminus::media {

std::string ReadGolden(const std::string& name) {
  std::ifstream file("tests/golden/media/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

Image ReadGoldenPpm(const std::string& name) {
  const std::string text = ReadGolden(name);
  std::istringstream in(text);
  std::string magic;
  int largest = 0;
  Image image;
  in >> magic >> image.width >> image.height >> largest;
  EXPECT_EQ(magic, "P6") << name;
  const size_t bytes = static_cast<size_t>(image.width) * image.height * 3;
  EXPECT_GT(text.size(), bytes) << name;
  image.rgb.assign(text.end() - static_cast<std::ptrdiff_t>(bytes), text.end());
  return image;
}

}  // namespace terminus::media
