#pragma once

#include <array>
#include <cstdint>

namespace terminus::models::sampling {

// Philox4x32-10: four random words that are a pure function of counter and key. Source: J. K.
// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
std::array<uint32_t, 4> Philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// A number in [0, 1) with 53 random bits. Depends on nothing else than its arguments, so that a
// sequence draws the same wherever, and in whatever batch, its tokens are sampled.
double Uniform(uint64_t seed, uint32_t choice, uint64_t position);

}  // namespace terminus::models::sampling
