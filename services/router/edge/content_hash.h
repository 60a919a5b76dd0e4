#pragma once

#include <string>

#include "terminus/v1/content.pb.h"

namespace terminus::services::router::edge {

// XXH3-128 of one byte for the kind (its field number in Content) and the content's bytes, as 32
// hexadecimal digits. Empty when no kind is set. A video's range counts, an embedding's shape not.
std::string ContentHash(const v1::Content& content);

}  // namespace terminus::services::router::edge
