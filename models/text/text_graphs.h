#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <tuple>

#include "models/nn/captured.h"
#include "models/text/text_tower.h"

namespace terminus::models::text {

// The passes of a text tower on a GPU as CUDA graphs. Batches of texts come in endless shapes: they
// are filled up to few, and a shape that comes a second time is recorded. For one thread at a time.
class TextGraphs {
 public:
  // `forward`: inputs → [texts, …] on the device; what the graphs do. It outlives this.
  TextGraphs(const TextTower& tower, std::function<at::Tensor(const TextInputs&)> forward,
             at::Device device)
      : tower_(tower), forward_(std::move(forward)), device_(device) {}

  // The vectors of the texts, which the next call of the same shape overwrites, in the order of
  // LibTorch's current stream. Nothing where the shape is new, or none to be recorded.
  std::optional<at::Tensor> Run(const PackedTexts& texts);

 private:
  // Tokens, texts, and the longest text, each filled up.
  using Shape = std::tuple<int64_t, int64_t, int32_t>;
  struct Graph {
    Shape shape;
    at::Tensor buffer;  // Of bytes: all inputs, one behind the other.
    nn::Captured captured;
  };

  static Shape ShapeOf(const PackedTexts& texts);
  // Views of a buffer for that shape.
  static TextInputs InputsIn(const at::Tensor& buffer, const Shape& shape, bool pooled);
  // The texts as such a buffer on the host, filled up by empty ones.
  static at::Tensor Filled(const PackedTexts& texts, const Shape& shape);
  Graph Record(const at::Tensor& filled, const Shape& shape, bool pooled);

  const TextTower& tower_;
  const std::function<at::Tensor(const TextInputs&)> forward_;
  const at::Device device_;
  std::list<Graph> graphs_;    // Of late used ones first.
  std::map<Shape, int> seen_;  // How often, of shapes without a graph.
};

}  // namespace terminus::models::text
