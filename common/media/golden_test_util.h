#pragma once

#include <string>

#include "common/media/image.h"

namespace terminus::media {

// The bytes of a file in tests/golden/media; tests run in the repository's root.
std::string ReadGolden(const std::string& name);

// A binary PPM of the same folder, such as make_goldens.py leaves there.
Image ReadGoldenPpm(const std::string& name);

}  // namespace terminus::media
