#pragma once

#include "models/kernels/activation.h"

namespace terminus::models::nn {

using kernels::Activation;

}  // namespace terminus::models::nn
