#pragma once

#include <cstdint>

#include "models/sampling/host_device.h"

namespace terminus::models::sampling {

struct PhiloxWords {
  uint32_t words[4];
};

// Philox4x32-10: four random words that are a pure function of counter and key. Source: J. K.
// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
TERMINUS_HOST_DEVICE PhiloxWords Philox(PhiloxWords counter, uint32_t first_key,
                                        uint32_t second_key) {
  constexpr int kRounds = 10;
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t first = uint64_t{0xD2511F53} * counter.words[0];
    const uint64_t second = uint64_t{0xCD9E8D57} * counter.words[2];
    counter = {{static_cast<uint32_t>(second >> 32) ^ counter.words[1] ^ first_key,
                static_cast<uint32_t>(second),
                static_cast<uint32_t>(first >> 32) ^ counter.words[3] ^ second_key,
                static_cast<uint32_t>(first)}};
    first_key += 0x9E3779B9;
    second_key += 0xBB67AE85;
  }
  return counter;
}

inline constexpr int kUniformBits = 53;

// A number in [0, 2^53), each equally likely. Depends on nothing but its arguments, so that a
// sequence draws the same in whatever batch, and on whatever device, its tokens are sampled.
TERMINUS_HOST_DEVICE uint64_t UniformBits(uint64_t seed, uint32_t choice, uint64_t position) {
  const PhiloxWords random =
      Philox({{static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32), choice, 0}},
             static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
  return (uint64_t{random.words[0]} << 32 | random.words[1]) >> (64 - kUniformBits);
}

}  // namespace terminus::models::sampling
