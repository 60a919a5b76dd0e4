#include "tools/cli/test_images.h"

#include <turbojpeg.h>

#include <vector>

namespace terminus::tools::cli {

std::string MakeTestJpeg(int width, int height, int shade) {
  const std::vector<unsigned char> pixels(static_cast<size_t>(width) * height,
                                          static_cast<unsigned char>(shade));
  tjhandle encoder = tjInitCompress();
  unsigned char* buffer = nullptr;
  unsigned long size = 0;  // NOLINT: the library's type.
  tjCompress2(encoder, pixels.data(), width, 0, height, TJPF_GRAY, &buffer, &size, TJSAMP_GRAY, 90,
              0);
  std::string jpeg(reinterpret_cast<const char*>(buffer), size);
  tjFree(buffer);
  tjDestroy(encoder);
  return jpeg;
}

}  // namespace terminus::tools::cli
