#pragma once

#include <cstdint>

// IEEE binary16 and bfloat16 in software: the binaries are built for the oldest x86-64, and a
// vector's few hundred elements do not need the F16C instructions.
namespace terminus::tensor {

// Both round to nearest, ties to even; what is too large becomes infinity, NaN stays NaN.
uint16_t FloatToHalf(float value);
uint16_t FloatToBfloat16(float value);

float HalfToFloat(uint16_t bits);
float Bfloat16ToFloat(uint16_t bits);

}  // namespace terminus::tensor
