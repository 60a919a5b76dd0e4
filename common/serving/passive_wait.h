#pragma once

namespace terminus::serving {

// Several LibTorch processes share few cores; OpenMP's threads must sleep while they wait for each
// other, not spin, and glibc must not keep an arena of freed memory for each gRPC thread. Both are
// read from the environment before main, so the process starts itself again with them set, once.
// Call it first in main.
void RestartWithPassiveWait(char** argv);

}  // namespace terminus::serving
