#pragma once

#include <cstdint>
#include <vector>

namespace terminus::media {

// 8-bit RGB, rows from top to bottom without padding: [height, width, 3].
struct Image {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

}  // namespace terminus::media
