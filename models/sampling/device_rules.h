#pragma once

#include <vector>

#include "models/sampling/parameters.h"
#include "models/sampling/rules.h"
#include "models/sampling/slot_sampling.h"

namespace terminus::models::sampling {

// Whether a device can apply the folder's rules: those that concern single tokens, by the lengths
// of the sequence alone. Where it cannot, logits are sampled from on the host, by sampler.h.
bool DeviceCanApply(const LogitRules& rules);

// The data that a device needs to return the same tokens as Sample.
struct DeviceSampling {
  SlotSampling slot;
  std::vector<TokenRule> rules;
};

// Requires: DeviceCanApply(rules), and `parameters` within their bounds.
DeviceSampling MakeDeviceSampling(const Parameters& parameters, const LogitRules& rules,
                                  int prompt_length);

}  // namespace terminus::models::sampling
