#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config/key.h"

// The parts that the table of keys is put together from. For key.cc and decoder_keys.cc only.
namespace terminus::config {

inline constexpr int64_t kHourMs = 3'600'000;

// Shortens the table: where a member lives, as a captureless function.
#define TERMINUS_MEMBER(member) +[](ClusterConfig& config) { return &config.member; }

inline constexpr char kHostLoading[] =
    "Whether the router may change the model that this process serves";

// `what` says what may be changed.
Key ModelLoadingKey(const std::string& service, Member member, const std::string& what);

std::vector<Key> DecoderKeys();

}  // namespace terminus::config
