#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/collective/factory.h"

namespace terminus::collective::nccl {

// See CreateNccl. `control` joins the same ranks in host memory: it carries NCCL's id, Barrier and
// Abort, and by it a rank learns that another is gone, which NCCL alone would wait for without end.
absl::StatusOr<std::unique_ptr<Communicator>> Create(const Options& options,
                                                     std::unique_ptr<Communicator> control,
                                                     absl::Time deadline);

// FAILED_PRECONDITION, as Create says, before any rank is bothered.
absl::Status CheckAvailable(int device);

}  // namespace terminus::collective::nccl
