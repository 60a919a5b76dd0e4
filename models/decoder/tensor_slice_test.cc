#include "models/decoder/tensor_slice.h"

#include <string>
#include <tuple>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::models::decoder {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Pair = std::pair<int64_t, int64_t>;

Pair Of(const Range& range) { return {range.begin, range.end}; }

std::vector<Pair> Of(const std::vector<Range>& ranges) {
  std::vector<Pair> pairs;
  for (const Range& range : ranges) {
    pairs.push_back(Of(range));
  }
  return pairs;
}

LlamaConfig Config(int heads, int kv_heads, int inner = 88) {
  LlamaConfig config;
  config.vocab_size = 97;
  config.hidden_size = 64;
  config.layers = 3;
  config.heads = heads;
  config.kv_heads = kv_heads;
  config.head_dim = 16;
  config.intermediate_size = inner;
  config.qk_norm = true;
  config.qkv_bias = config.output_bias = config.mlp_bias = true;
  config.layer_attention.resize(3);
  return config;
}

TEST(TensorSlice, OneRankHasTheWholeLayer) {
  const LlamaConfig config = Config(5, 1);
  ASSERT_TRUE(CheckSlice(config, {}).ok());
  const LayerSlice layer = SliceLayer(config, 1, {});
  for (const LinearSlice& linear : {layer.qkv, layer.attention_out, layer.gate_up, layer.down}) {
    EXPECT_EQ(linear.out(), linear.whole.out());
    EXPECT_EQ(Of(linear.columns), Pair(0, linear.whole.in));
    EXPECT_TRUE(linear.bias);
  }
  EXPECT_EQ(Of(SliceVocabulary(config, {})), Pair(0, 97));
  EXPECT_EQ(VocabularyPart(config, {}), 97);
}

TEST(TensorSlice, DividesHeadsAndInnerUnits) {
  const LlamaConfig config = Config(4, 2);
  const TensorSlice second{.rank = 1, .size = 2};
  ASSERT_TRUE(CheckSlice(config, second).ok());
  const LayerSlice layer = SliceLayer(config, 2, second);
  EXPECT_EQ(layer.attention_norm.name, "layers.2.input_layernorm");
  EXPECT_EQ(layer.query_norm.width, 16);
  EXPECT_THAT(Of(layer.qkv.rows), ElementsAre(Pair(32, 64), Pair(16, 32), Pair(16, 32)));
  EXPECT_EQ(Of(layer.qkv.columns), Pair(0, 64));
  EXPECT_EQ(layer.qkv.out(), 64);
  EXPECT_THAT(Of(layer.attention_out.rows), ElementsAre(Pair(0, 64)));
  EXPECT_EQ(Of(layer.attention_out.columns), Pair(32, 64));
  EXPECT_THAT(Of(layer.gate_up.rows), ElementsAre(Pair(44, 88), Pair(44, 88)));
  EXPECT_EQ(Of(layer.down.columns), Pair(44, 88));
  // A sum over the ranks has its bias once.
  EXPECT_TRUE(layer.qkv.bias && layer.gate_up.bias);
  EXPECT_FALSE(layer.attention_out.bias || layer.down.bias);
  const LayerSlice first = SliceLayer(config, 2, {.rank = 0, .size = 2});
  EXPECT_TRUE(first.attention_out.bias && first.down.bias);
}

TEST(TensorSlice, RanksShareHeadsOfKeysWhereThereAreFewer) {
  const auto keys = [](int heads, int kv_heads, int size) {
    std::vector<int64_t> first;
    for (int rank = 0; rank < size; ++rank) {
      const LlamaConfig config = Config(heads, kv_heads);
      EXPECT_TRUE(CheckSlice(config, {rank, size}).ok());
      const LayerSlice layer = SliceLayer(config, 0, {rank, size});
      EXPECT_EQ(layer.qkv.rows[1].size(), 16);
      EXPECT_EQ(Of(layer.qkv.rows[1]), Of(layer.qkv.rows[2]));
      first.push_back(layer.qkv.rows[1].begin / 16);
    }
    return first;
  };
  EXPECT_THAT(keys(4, 2, 4), ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(keys(8, 1, 4), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(keys(16, 2, 8), ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));
  EXPECT_THAT(keys(4, 4, 4), ElementsAre(0, 1, 2, 3));
}

// Each query head attends to the head of keys that it has in the whole model.
TEST(TensorSlice, QueriesKeepTheirKeys) {
  for (const auto& [heads, kv_heads, size] : std::vector<std::tuple<int, int, int>>{
           {4, 2, 4}, {4, 2, 2}, {8, 4, 2}, {8, 2, 4}, {16, 2, 8}, {8, 8, 8}, {24, 3, 3}}) {
    const LlamaConfig config = Config(heads, kv_heads, 48);
    for (int rank = 0; rank < size; ++rank) {
      ASSERT_TRUE(CheckSlice(config, {rank, size}).ok());
      const LlamaConfig part = RankConfig(config, {rank, size});
      const LayerSlice layer = SliceLayer(config, 0, {rank, size});
      EXPECT_EQ(layer.qkv.out(), part.q_size() + 2 * part.kv_size());
      EXPECT_EQ(layer.down.columns.size(), part.intermediate_size);
      for (int head = 0; head < part.heads; ++head) {
        const int64_t query = layer.qkv.rows[0].begin / 16 + head;
        const int64_t key = layer.qkv.rows[1].begin / 16 + head / (part.heads / part.kv_heads);
        EXPECT_EQ(key, query / (heads / kv_heads)) << heads << " " << kv_heads << " " << size;
      }
    }
  }
}

TEST(TensorSlice, TheLastPartOfTheVocabularyMayBeShort) {
  const LlamaConfig config = Config(4, 4);
  const auto rows = [&](int rank) { return Of(SliceVocabulary(config, {rank, 4})); };
  EXPECT_EQ(VocabularyPart(config, {0, 4}), 25);
  EXPECT_EQ(rows(0), Pair(0, 25));
  EXPECT_EQ(rows(2), Pair(50, 75));
  EXPECT_EQ(rows(3), Pair(75, 97));
}

TEST(TensorSlice, RefusalsNameWhatDoesNotDivide) {
  const auto message = [](const LlamaConfig& config, TensorSlice slice) {
    const absl::Status status = CheckSlice(config, slice);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message(Config(3, 1), {0, 2}),
              AllOf(HasSubstr("a tensor group of 2 ranks"), HasSubstr("num_attention_heads 3"),
                    Not(HasSubstr("num_key_value_heads")), Not(HasSubstr("intermediate_size"))));
  EXPECT_THAT(message(Config(5, 5), {1, 4}),
              AllOf(HasSubstr("num_attention_heads 5"), HasSubstr("num_key_value_heads 5")));
  // Two ranks would need two of three heads of keys each.
  EXPECT_THAT(message(Config(6, 3), {1, 2}),
              AllOf(HasSubstr("num_key_value_heads 3"), Not(HasSubstr("num_attention_heads"))));
  EXPECT_THAT(message(Config(16, 16), {0, 16}), HasSubstr("intermediate_size 88"));
  LlamaConfig few = Config(4, 4);
  few.vocab_size = 6;
  EXPECT_THAT(message(few, {0, 4}), HasSubstr("vocab_size 6 leaves the last rank without a row"));
  EXPECT_THAT(message(Config(4, 4), {4, 4}), HasSubstr("rank 4 of a tensor group of 4"));
  EXPECT_THAT(message(Config(4, 4), {-1, 4}), HasSubstr("rank -1"));
  EXPECT_THAT(message(Config(4, 4), {0, 0}), HasSubstr("a tensor group of 0"));
}

}  // namespace
}  // namespace terminus::models::decoder
