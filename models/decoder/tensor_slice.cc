#include "models/decoder/tensor_slice.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace terminus::models::decoder {
namespace {

// The rank's share of `count` units, of `width` elements each. Fewer units than ranks: one unit,
// which the ranks beside it have too.
Range Share(int64_t count, int64_t width, const TensorSlice& slice) {
  const int64_t first = slice.rank * count / slice.size;
  const int64_t units = std::max<int64_t>(1, count / slice.size);
  return {.begin = first * width, .end = (first + units) * width};
}

LinearSlice DivideRows(LinearSpec whole, std::vector<Range> rows) {
  const Range columns{.end = whole.in};
  const bool bias = whole.bias;
  return {.whole = std::move(whole), .rows = std::move(rows), .columns = columns, .bias = bias};
}

LinearSlice DivideColumns(LinearSpec whole, const Range& columns, const TensorSlice& slice) {
  std::vector<Range> rows;
  for (const LinearSpec::Part& part : whole.parts) {
    rows.push_back({.end = part.out});
  }
  const bool bias = whole.bias && slice.rank == 0;
  return {.whole = std::move(whole), .rows = std::move(rows), .columns = columns, .bias = bias};
}

}  // namespace

int64_t LinearSlice::out() const {
  int64_t sum = 0;
  for (const Range& range : rows) {
    sum += range.size();
  }
  return sum;
}

absl::Status CheckSlice(const LlamaConfig& config, const TensorSlice& slice) {
  const int size = slice.size;
  if (size < 1 || slice.rank < 0 || slice.rank >= size) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", slice.rank, " of a tensor group of ", size));
  }
  std::vector<std::string> faults;
  if (config.heads % size != 0) {
    faults.push_back(absl::StrCat("num_attention_heads ", config.heads, " is no multiple of it"));
  }
  if (config.kv_heads % size != 0 && size % config.kv_heads != 0) {
    faults.push_back(absl::StrCat("num_key_value_heads ", config.kv_heads,
                                  " is neither a multiple nor a divisor of it"));
  }
  if (config.intermediate_size % size != 0) {
    faults.push_back(
        absl::StrCat("intermediate_size ", config.intermediate_size, " is no multiple of it"));
  }
  if ((size - 1) * VocabularyPart(config, slice) >= config.vocab_size) {
    faults.push_back(
        absl::StrCat("vocab_size ", config.vocab_size, " leaves the last rank without a row"));
  }
  return faults.empty() ? absl::OkStatus()
                        : absl::InvalidArgumentError(absl::StrCat(
                              "a tensor group of ", size,
                              " ranks cannot share the model: ", absl::StrJoin(faults, ", ")));
}

LlamaConfig RankConfig(const LlamaConfig& config, const TensorSlice& slice) {
  LlamaConfig rank = config;
  rank.heads = config.heads / slice.size;
  rank.kv_heads = std::max(1, config.kv_heads / slice.size);
  rank.intermediate_size = config.intermediate_size / slice.size;
  return rank;
}

LayerSlice SliceLayer(const LlamaConfig& config, int layer, const TensorSlice& slice) {
  LayerSpec whole = DescribeLayer(config, layer);
  const Range queries = Share(config.heads, config.head_dim, slice);
  const Range keys = Share(config.kv_heads, config.head_dim, slice);
  const Range inner = Share(config.intermediate_size, 1, slice);
  return {.attention_norm = std::move(whole.attention_norm),
          .qkv = DivideRows(std::move(whole.qkv), {queries, keys, keys}),
          .query_norm = std::move(whole.query_norm),
          .key_norm = std::move(whole.key_norm),
          .attention_out = DivideColumns(std::move(whole.attention_out), queries, slice),
          .mlp_norm = std::move(whole.mlp_norm),
          .gate_up = DivideRows(std::move(whole.gate_up), {inner, inner}),
          .down = DivideColumns(std::move(whole.down), inner, slice)};
}

int64_t VocabularyPart(const LlamaConfig& config, const TensorSlice& slice) {
  return (int64_t{config.vocab_size} + slice.size - 1) / slice.size;
}

Range SliceVocabulary(const LlamaConfig& config, const TensorSlice& slice) {
  const int64_t part = VocabularyPart(config, slice);
  const int64_t begin = slice.rank * part;
  return {.begin = begin, .end = std::min<int64_t>(begin + part, config.vocab_size)};
}

}  // namespace terminus::models::decoder
