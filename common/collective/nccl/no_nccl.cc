#include "common/collective/nccl/nccl_api.h"

// Where there is no NCCL to build against.
const TerminusNcclApi* terminus_nccl_api() { return nullptr; }
