#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "models/settings/config_common.h"

namespace terminus::models::decoder {

// The number at `key`, or `otherwise` where it is absent. Outside [min, max] it is a fault. The
// bounds are far from what any model has, and from where float32 ends.
inline double BoundedNumber(settings::JsonFile& file, const std::string& key, double min,
                            double max, double otherwise) {
  const double value = file.NumberOr(key, otherwise);
  if (!(value >= min && value <= max)) {
    file.Fault(key, absl::StrCat(value, ", expected a number from ", min, " to ", max));
    return otherwise;
  }
  return value;
}

}  // namespace terminus::models::decoder
