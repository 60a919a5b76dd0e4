#pragma once

namespace terminus {

// Version of the build, reported by every process and compared when services shake hands.
inline constexpr char kVersion[] = "0.1.0";

}  // namespace terminus
