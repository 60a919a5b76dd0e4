#include "common/serving/passive_wait.h"

#include <unistd.h>

#include <cstdlib>

namespace terminus::serving {

void RestartWithPassiveWait(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr && std::getenv("MALLOC_ARENA_MAX") != nullptr) {
    return;
  }
  // What the user set stays.
  setenv("OMP_WAIT_POLICY", "passive", /*overwrite=*/0);
  setenv("MALLOC_ARENA_MAX", "2", /*overwrite=*/0);
  execv("/proc/self/exe", argv);
  // Not fatal: without it the process only wastes processor time.
}

}  // namespace terminus::serving
