#include "models/decoder/cpu_llama_weights.h"

#include <optional>
#include <string>
#include <utility>

#include "models/decoder/llama_tensors.h"
#include "models/decoder/tensor_slice.h"

namespace terminus::models::decoder {
namespace {

using checkpoint::Slice;
using kernels::PanelWeight;
using kernels::WeightType;

template <class T>
absl::Span<const T> SpanOf(const at::Tensor& tensor) {
  return {reinterpret_cast<const T*>(tensor.const_data_ptr()), static_cast<size_t>(tensor.numel())};
}

// Nothing where the range is the whole dimension of `size`.
std::optional<Slice> SliceOf(int dim, const Range& range, int64_t size) {
  if (range.size() == size) {
    return std::nullopt;
  }
  return Slice{.dim = dim, .begin = range.begin, .end = range.end};
}

// Puts the tensors of a checkpoint where products and norms read them.
class Loader {
 public:
  Loader(kernels::Isa isa, WeightType type, checkpoint::Weights& weights)
      : isa_(isa),
        type_(type),
        arena_(std::make_shared<kernels::PanelArena>()),
        weights_(weights) {}

  std::vector<float> LoadNorm(const NormSpec& norm) const {
    return ToVector(weights_.Get(norm.name + ".weight", {norm.width}));
  }

  CpuProduct LoadLinear(const LinearSlice& linear) const {
    const LinearSpec& whole = linear.whole;
    // Each part of a gated pair has all outputs.
    const int64_t out = whole.gated ? linear.rows[0].size() : linear.out();
    PanelWeight weight(isa_, type_, linear.columns.size(), out, /*paired=*/whole.gated, arena_);
    const std::optional<Slice> columns = SliceOf(1, linear.columns, whole.in);
    std::vector<float> bias;
    int64_t row = 0;
    int which = 0;
    for (size_t i = 0; i < whole.parts.size(); ++i) {
      const LinearSpec::Part& part = whole.parts[i];
      const std::optional<Slice> rows = SliceOf(0, linear.rows[i], part.out);
      Place(
          weights_.GetAsStored(part.name + ".weight", {part.out, whole.in}, rows ? rows : columns),
          row, which, &weight);
      if (linear.bias) {
        const auto values = ToVector(weights_.Get(part.name + ".bias", {part.out}, rows));
        bias.insert(bias.end(), values.begin(), values.end());
      }
      whole.gated ? which += 1 : row += linear.rows[i].size();
    }
    return {.weight = std::move(weight), .bias = std::move(bias)};
  }

  // A matrix with `part` rows, of which the first are those that `rows` says of a table.
  std::unique_ptr<PanelWeight> LoadHead(const std::string& name, const LlamaConfig& config,
                                        const Range& rows, int64_t part) const {
    auto weight = std::make_unique<PanelWeight>(isa_, type_, config.hidden_size, part,
                                                /*paired=*/false, arena_);
    Place(LoadTable(name, config, rows), 0, 0, weight.get());
    return weight;
  }

  at::Tensor LoadTable(const std::string& name, const LlamaConfig& config,
                       const Range& rows) const {
    return weights_.GetAsStored(name, {config.vocab_size, config.hidden_size},
                                SliceOf(0, rows, config.vocab_size));
  }

 private:
  static std::vector<float> ToVector(const at::Tensor& tensor) {
    const auto values = SpanOf<float>(tensor);
    return {values.begin(), values.end()};
  }

  // Copies the tensor's rows behind `row`; its dtype decides.
  static void Place(const at::Tensor& tensor, int64_t row, int which, PanelWeight* weight) {
    if (tensor.scalar_type() == at::kBFloat16) {
      weight->SetRows(SpanOf<kernels::BFloat16>(tensor), row, which);
    } else {
      weight->SetRows(SpanOf<float>(tensor.to(at::kFloat)), row, which);
    }
  }

  kernels::Isa isa_;
  WeightType type_;
  std::shared_ptr<kernels::PanelArena> arena_;
  checkpoint::Weights& weights_;
};

}  // namespace

CpuWeights LoadCpuWeights(const LlamaConfig& config, const LmOptions& options, kernels::Isa isa,
                          checkpoint::Weights& weights) {
  const bool narrow = options.dtype == ComputeDType::kBFloat16;
  const Loader loader(isa, narrow ? WeightType::kBFloat16 : WeightType::kFloat32, weights);
  CpuWeights held;
  for (int i = options.layers.first; i < options.layers.last; ++i) {
    held.layers.push_back(LoadLlamaLayer(SliceLayer(config, i, options.tensor), loader));
  }
  const LlamaTables tables = FindTables(config, weights);
  const Range rows = SliceVocabulary(config, options.tensor);
  if (options.layers.first == 0) {
    held.embedding = loader.LoadTable(tables.embedding, config, rows);
    if (held.embedding.scalar_type() != at::kBFloat16) {
      held.embedding = held.embedding.to(at::kFloat);
    }
  }
  if (options.layers.last == config.layers) {
    held.final_norm = loader.LoadNorm(DescribeFinalNorm(config));
    held.head = loader.LoadHead(tables.head, config, rows, VocabularyPart(config, options.tensor));
  }
  return held;
}

}  // namespace terminus::models::decoder
