#include "common/serving/passive_wait.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace terminus::serving {
namespace {

struct Variable {
  const char* name;
  const char* value;
};

// Turns of libgomp's waiting loop, some 50 to 100 µs: longer than the gap between two parallel
// regions of a forward pass, far shorter than a time slice.
constexpr Variable kVariables[] = {
    {"OMP_WAIT_POLICY", "passive"}, {"GOMP_SPINCOUNT", "4000"}, {"MALLOC_ARENA_MAX", "2"}};

// Who asks for another policy wants libgomp's own count for it.
bool OtherPolicy() {
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  return policy != nullptr && strcasecmp(policy, "passive") != 0;
}

}  // namespace

void RestartWithPassiveWait(char** argv) {
  bool changed = false;
  for (const Variable& variable : kVariables) {
    const bool spins = std::strcmp(variable.name, "GOMP_SPINCOUNT") == 0;
    // What the user set stays.
    if (std::getenv(variable.name) == nullptr && !(spins && OtherPolicy())) {
      setenv(variable.name, variable.value, /*overwrite=*/0);
      changed = true;
    }
  }
  if (changed) {
    execv("/proc/self/exe", argv);
    // Not fatal: without it the process only wastes processor time.
  }
}

}  // namespace terminus::serving
