#pragma once

namespace terminus::serving {

// Several LibTorch processes share few cores; OpenMP's threads must sleep while they wait for work,
// not spin, and glibc must not keep an arena of freed memory for each gRPC thread. They may spin
// shortly, though: a forward pass has dozens of parallel regions, and to wake a thread for each
// costs more than some of them take. All of it is read from the environment before main, so the
// process starts itself again with it set, once. Call it first in main.
void RestartWithPassiveWait(char** argv);

}  // namespace terminus::serving
