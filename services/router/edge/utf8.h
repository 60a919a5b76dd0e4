#pragma once

#include "absl/strings/string_view.h"

namespace terminus::services::router::edge {

// Well-formed UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing past U+10FFFF.
bool IsValidUtf8(absl::string_view text);

}  // namespace terminus::services::router::edge
