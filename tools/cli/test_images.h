#pragma once

#include <string>

namespace terminus::tools::cli {

// A grey JPEG for tests; images of different shades have different bytes.
std::string MakeTestJpeg(int width, int height, int shade);

}  // namespace terminus::tools::cli
