#pragma once

#include <ATen/ATen.h>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

namespace terminus::models::checkpoint {

// Loads a model on LibTorch's device "meta" before it is loaded on `device`, so that every fault of
// its folder is found before any weight is read and any memory is allocated, and so that
// `terminus model inspect`, which does this alone, fails exactly when a load does. `load` takes the
// device. Its warnings are dropped here: the load itself repeats them. OK at once where `device` is
// "meta".
absl::Status CheckOnMeta(at::Device device, absl::FunctionRef<absl::Status(at::Device)> load);

}  // namespace terminus::models::checkpoint
