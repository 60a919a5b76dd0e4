#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace terminus::base {

// Well-formed UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing past U+10FFFF.
bool IsValidUtf8(absl::string_view text);

// Fit to be shown on a terminal and to stand in a protobuf string: bytes that are not well-formed
// UTF-8 and control characters (C0 but the newline, DEL, C1) become '?' each; the rest stays.
std::string PrintableUtf8(absl::string_view text);

}  // namespace terminus::base
