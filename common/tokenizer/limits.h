#pragma once

#include <cstddef>
#include <cstdint>

// Limits on a tokenizer's files.
namespace terminus::tokenizer {

inline constexpr size_t kMaxFileBytes = 64 << 20;
inline constexpr int32_t kMaxVocabulary = 1 << 22;

}  // namespace terminus::tokenizer
