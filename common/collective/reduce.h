#pragma once

#include <cstdint>

#include "absl/types/span.h"
#include "common/weights/dtype.h"

namespace terminus::collective {

// out[i] = parts[0][i] + parts[1][i] + … in that order, for `count` elements of a summable type.
// bfloat16 is added in float32 and rounded once; int32 wraps around. `out` may be one of the parts.
void SumInOrder(weights::DType dtype, absl::Span<const void* const> parts, int64_t count,
                void* out);

}  // namespace terminus::collective
