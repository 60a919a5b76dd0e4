#pragma once

// What the processes of a cluster end with, as their supervisor understands it.
namespace terminus::base {

inline constexpr int kExitOk = 0;
// It may work when tried again.
inline constexpr int kExitFailed = 1;
// It cannot work as it was started: a wrong flag, a config or a model that is refused. Starting it
// again changes nothing. Also what every command here ends with after a usage error.
inline constexpr int kExitRefused = 2;

}  // namespace terminus::base
