#include "models/text/text_graphs.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace terminus::models::text {
namespace {

// Graphs share memory, but one for more tokens than any before it needs more: that bounds how much.
constexpr size_t kMaxGraphs = 32;
constexpr size_t kMaxSeen = 4096;
// Keys that attention looks at together: what a graph's longest text is filled up to.
constexpr int32_t kLengthStep = 16;

// Texts of a shape: powers of two and the middles between them.
int64_t FilledUp(int64_t texts) {
  int64_t power = 1;
  while (power < texts) {
    power *= 2;
  }
  return power > 4 && power / 4 * 3 >= texts ? power / 4 * 3 : power;
}

// Bytes of the inputs' parts: ids, positions and pooled tokens in int64, offsets in int32.
struct Layout {
  int64_t ids;
  int64_t pooled;
  int64_t offsets;

  int64_t positions_at() const { return ids; }
  int64_t pooled_at() const { return 2 * ids; }
  int64_t offsets_at() const { return 2 * ids + pooled; }
  int64_t bytes() const { return offsets_at() + offsets; }
};

Layout LayoutOf(int64_t tokens, int64_t texts) {
  return {.ids = tokens * int64_t{sizeof(int64_t)},
          .pooled = texts * int64_t{sizeof(int64_t)},
          .offsets = (texts + 1) * int64_t{sizeof(int32_t)}};
}

}  // namespace

TextGraphs::Shape TextGraphs::ShapeOf(const PackedTexts& texts) {
  int32_t longest = 1;
  for (size_t i = 0; i + 1 < texts.offsets.size(); ++i) {
    longest = std::max(longest, texts.offsets[i + 1] - texts.offsets[i]);
  }
  return {static_cast<int64_t>(texts.ids.size()),
          FilledUp(static_cast<int64_t>(texts.offsets.size()) - 1),
          (longest + kLengthStep - 1) / kLengthStep * kLengthStep};
}

TextInputs TextGraphs::InputsIn(const at::Tensor& buffer, const Shape& shape, bool pooled) {
  const auto& [tokens, texts, longest] = shape;
  const Layout layout = LayoutOf(tokens, texts);
  const auto longs = [&](int64_t begin, int64_t bytes) {
    return buffer.slice(0, begin, begin + bytes).view(at::kLong);
  };
  return {.ids = longs(0, layout.ids),
          .positions = longs(layout.positions_at(), layout.ids),
          .sequences = nn::Sequences(
              buffer.slice(0, layout.offsets_at(), layout.bytes()).view(at::kInt), longest),
          .pooled = pooled ? longs(layout.pooled_at(), layout.pooled) : at::Tensor()};
}

at::Tensor TextGraphs::Filled(const PackedTexts& texts, const Shape& shape) {
  const auto& [tokens, count, longest] = shape;
  const Layout layout = LayoutOf(tokens, count);
  at::Tensor filled =
      at::empty({layout.bytes()}, at::TensorOptions().dtype(at::kByte).pinned_memory(true));
  auto* const bytes = filled.mutable_data_ptr<uint8_t>();
  std::memcpy(bytes, texts.ids.data(), static_cast<size_t>(layout.ids));
  std::memcpy(bytes + layout.positions_at(), texts.positions.data(),
              static_cast<size_t>(layout.ids));
  auto* const pooled = reinterpret_cast<int64_t*>(bytes + layout.pooled_at());
  std::fill(std::copy(texts.pooled.begin(), texts.pooled.end(), pooled), pooled + count, 0);
  auto* const offsets = reinterpret_cast<int32_t*>(bytes + layout.offsets_at());
  std::fill(std::copy(texts.offsets.begin(), texts.offsets.end(), offsets), offsets + count + 1,
            texts.offsets.back());
  return filled;
}

TextGraphs::Graph TextGraphs::Record(const at::Tensor& filled, const Shape& shape, bool pooled) {
  at::Tensor buffer = filled.to(device_);
  const TextInputs inputs = InputsIn(buffer, shape, pooled);
  const nn::Captured* shares = graphs_.empty() ? nullptr : &graphs_.front().captured;
  return {.shape = shape,
          .buffer = buffer,
          .captured = nn::Captured::Capture([&] { return forward_(inputs); }, device_, shares)};
}

std::optional<at::Tensor> TextGraphs::Run(const PackedTexts& texts) {
  const Shape shape = ShapeOf(texts);
  if (!tower_.IsCapturable(std::get<2>(shape))) {
    return std::nullopt;
  }
  const auto found = std::find_if(graphs_.begin(), graphs_.end(),
                                  [&](const Graph& graph) { return graph.shape == shape; });
  const bool known = found != graphs_.end();
  if (!known && ++seen_[shape] == 1) {
    if (seen_.size() > kMaxSeen) {
      seen_.clear();
    }
    return std::nullopt;
  }
  const at::Tensor filled = Filled(texts, shape);
  if (known) {
    graphs_.splice(graphs_.begin(), graphs_, found);
  } else {
    graphs_.push_front(Record(filled, shape, !texts.pooled.empty()));
    seen_.erase(shape);
    if (graphs_.size() > kMaxGraphs) {
      graphs_.pop_back();
    }
  }
  Graph& graph = graphs_.front();
  graph.buffer.copy_(filled, /*non_blocking=*/true);
  return graph.captured.Replay().slice(0, 0, static_cast<int64_t>(texts.offsets.size()) - 1);
}

}  // namespace terminus::models::text
