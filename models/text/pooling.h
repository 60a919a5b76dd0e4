#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "models/text/sentence_config.h"

namespace terminus::models::text {

// hidden [tokens, hidden], text i in rows [offsets[i], offsets[i + 1]) → one vector a text,
// [texts, hidden].
at::Tensor Pool(const at::Tensor& hidden, const std::vector<int32_t>& offsets, Pooling pooling);

}  // namespace terminus::models::text
