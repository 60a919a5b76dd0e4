#include "common/weights/index_keys.h"

namespace terminus::weights {
namespace {

constexpr settings::Key kKeys[] = {
    settings::Used("weight_map", "the shards, and which of them counts for a tensor"),
    settings::NoEffect("metadata", "counts parameters and bytes; the shards say themselves"),
};

}  // namespace

const settings::Table kIndexKeys = {
    .file = "model.safetensors.index.json", .kind = "any model", .keys = kKeys};

}  // namespace terminus::weights
