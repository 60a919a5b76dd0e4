#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "models/text/sentence_config.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// Of each text the token that stands for it; nothing for a mean.
std::vector<int64_t> PooledTokens(const std::vector<int32_t>& offsets, Pooling pooling);

// hidden [tokens, hidden] → one vector a text, [texts, hidden]: the states of `inputs.pooled`, or
// the mean over each text where that is undefined.
at::Tensor Pool(const at::Tensor& hidden, const TextInputs& inputs);

}  // namespace terminus::models::text
