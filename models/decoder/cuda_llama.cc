#include "models/decoder/cuda_llama.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/gpu/library.h"
#include "models/decoder/llama_tensors.h"
#include "models/decoder/memory_plan.h"
#include "models/decoder/step_check.h"
#include "models/sampling/device_rules.h"
#include "models/sampling/sampler.h"

namespace terminus::models::decoder {
namespace {

constexpr size_t kErrorBytes = 1024;
constexpr int kMaxHidden = 16384;

class Loader {
 public:
  Loader(at::Device device, checkpoint::Weights& weights)
      : options_(at::TensorOptions(device).dtype(at::kBFloat16)), weights_(weights) {}

  at::Tensor Load(const std::string& name, at::IntArrayRef shape) const {
    return weights_.GetAsStored(name, shape).to(options_).contiguous();
  }

  at::Tensor LoadNorm(const NormSpec& norm) const {
    return Load(norm.name + ".weight", {norm.width});
  }

  CudaLlama::Tensors::Linear LoadLinear(const LinearSpec& linear) const {
    std::vector<at::Tensor> weights;
    std::vector<at::Tensor> biases;
    for (const LinearSpec::Part& part : linear.parts) {
      weights.push_back(Load(part.name + ".weight", {part.out, linear.in}));
      if (linear.bias) {
        biases.push_back(Load(part.name + ".bias", {part.out}));
      }
    }
    return {.weight = Join(weights), .bias = linear.bias ? Join(biases) : at::Tensor()};
  }

 private:
  static at::Tensor Join(const std::vector<at::Tensor>& parts) {
    return parts.size() == 1 ? parts.front() : at::cat(parts);
  }

  at::TensorOptions options_;
  checkpoint::Weights& weights_;
};

const void* DataOf(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr() : nullptr;
}

TerminusLlamaLayer Describe(const LlamaLayer<at::Tensor, CudaLlama::Tensors::Linear>& layer,
                            const LayerAttention& attention) {
  return {.attention_norm = DataOf(layer.attention_norm),
          .qkv = DataOf(layer.qkv.weight),
          .qkv_bias = DataOf(layer.qkv.bias),
          .query_norm = DataOf(layer.query_norm),
          .key_norm = DataOf(layer.key_norm),
          .attention_out = DataOf(layer.attention_out.weight),
          .attention_out_bias = DataOf(layer.attention_out.bias),
          .mlp_norm = DataOf(layer.mlp_norm),
          .gate_up = DataOf(layer.gate_up.weight),
          .gate_up_bias = DataOf(layer.gate_up.bias),
          .down = DataOf(layer.down.weight),
          .down_bias = DataOf(layer.down.bias),
          .window = attention.window,
          .rotates = attention.rope ? 1 : 0};
}

template <class... Parts>
absl::Status Bad(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("step: ", parts...));
}

absl::StatusOr<sampling::Sampled> SampledOf(const TerminusSamplingResult& result,
                                            const TerminusTopLogprob* top) {
  if ((result.flags & TERMINUS_SAMPLING_NOT_FINITE) != 0) {
    return absl::InternalError("the model's logits are not finite");
  }
  if ((result.flags & TERMINUS_SAMPLING_NO_TOKEN) != 0) {
    return base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNoTokenLeft,
                           "the generation settings and the grammar rule out every token, or make "
                           "one infinitely likely");
  }
  sampling::Sampled sampled;
  sampled.chosen = {.token = result.token, .logprob = result.logprob};
  for (int i = 0; i < result.top; ++i) {
    sampled.top.push_back({.token = top[i].token, .logprob = top[i].logprob});
  }
  return sampled;
}

}  // namespace

absl::Status CudaLlama::Supports(const LlamaConfig& config, const LayerRange& layers) {
  if (config.head_dim != 64 && config.head_dim != 128) {
    return absl::UnimplementedError(absl::StrCat("heads of ", config.head_dim));
  }
  if (config.hidden_size % 8 != 0 || config.hidden_size > kMaxHidden ||
      config.intermediate_size % 8 != 0 || config.vocab_size % 8 != 0) {
    return absl::UnimplementedError(
        absl::StrCat("a hidden size of ", config.hidden_size, ", an intermediate size of ",
                     config.intermediate_size, " and a vocabulary of ", config.vocab_size));
  }
  if (layers.first != 0 || (layers.last != -1 && layers.last != config.layers)) {
    return absl::UnimplementedError("a range of layers");
  }
  return absl::OkStatus();
}

CudaLlama::Tensors CudaLlama::LoadTensors(const LlamaConfig& config, at::Device device,
                                          checkpoint::Weights& weights) {
  const Loader loader(device, weights);
  Tensors tensors;
  for (int i = 0; i < config.layers; ++i) {
    tensors.layers.push_back(LoadLlamaLayer(DescribeLayer(config, i), loader));
  }
  const LlamaTables tables = FindTables(config, weights);
  const std::vector<int64_t> shape = {config.vocab_size, config.hidden_size};
  tensors.embedding = loader.Load(tables.embedding, shape);
  tensors.final_norm = loader.LoadNorm(DescribeFinalNorm(config));
  tensors.head =
      tables.head == tables.embedding ? tensors.embedding : loader.Load(tables.head, shape);
  return tensors;
}

CudaLlama::CudaLlama(const LlamaConfig& config, const LmOptions& options, Tensors tensors,
                     const TerminusLlamaApi* api)
    : config_(config),
      tensors_(std::move(tensors)),
      api_(api),
      max_sequences_(options.max_sequences),
      error_(kErrorBytes, 0),
      slots_(static_cast<size_t>(options.slots())) {}

absl::StatusOr<std::unique_ptr<CudaLlama>> CudaLlama::Create(const LlamaConfig& config,
                                                             const LmOptions& options,
                                                             at::Device device, Tensors tensors) {
  TERMINUS_RETURN_IF_ERROR(Supports(config, options.layers));
  TERMINUS_ASSIGN_OR_RETURN(const auto* api, gpu::FindTableAs<TerminusLlamaApi>(
                                                 "terminus_llama_api", TERMINUS_LLAMA_API_VERSION));
  // What joining the weights left behind is needed for keys and values.
  c10::getDeviceAllocator(c10::kCUDA)->emptyCache();
  std::unique_ptr<CudaLlama> lm(new CudaLlama(config, options, std::move(tensors), api));
  std::vector<TerminusLlamaLayer> layers;
  for (int i = 0; i < config.layers; ++i) {
    layers.push_back(Describe(lm->tensors_.layers[i], config.layer_attention[i]));
  }
  const std::vector<float> frequencies = RopeFrequencies(config.rope, config.head_dim);
  const TerminusLlamaModel model = {.device = device.index() < 0 ? 0 : device.index(),
                                    .vocab_size = config.vocab_size,
                                    .hidden_size = config.hidden_size,
                                    .intermediate_size = config.intermediate_size,
                                    .layer_count = config.layers,
                                    .heads = config.heads,
                                    .kv_heads = config.kv_heads,
                                    .head_dim = config.head_dim,
                                    .max_context = config.max_positions,
                                    .norm_eps = config.rms_norm_eps,
                                    .softmax_scale = config.attention_scale(),
                                    .rope_scale = static_cast<float>(config.rope.attention_factor),
                                    .rope_frequencies = frequencies.data(),
                                    .layers = layers.data(),
                                    .embedding = DataOf(lm->tensors_.embedding),
                                    .final_norm = DataOf(lm->tensors_.final_norm),
                                    .head = DataOf(lm->tensors_.head)};
  TERMINUS_RETURN_IF_ERROR(lm->Start(model, options, device));
  return lm;
}

CudaLlama::~CudaLlama() {
  if (engine_ != nullptr) {
    api_->destroy(engine_);
  }
}

template <class Function, class... Arguments>
absl::Status CudaLlama::Call(Function function, const Arguments&... arguments) {
  if (function(engine_, arguments..., error_.data(), error_.size()) != 0) {
    return absl::InternalError(absl::StrCat("GPU: ", error_.c_str()));
  }
  return absl::OkStatus();
}

absl::Status CudaLlama::Start(const TerminusLlamaModel& model, const LmOptions& options,
                              at::Device device) {
  const int64_t block_bytes =
      KvBlockBytes(config_.layers, config_.kv_heads, config_.head_dim, /*element_bytes=*/2);
  int blocks = options.kv_blocks;
  if (blocks == 0 && options.kv_bytes > 0) {
    blocks = static_cast<int>(std::max<int64_t>(1, options.kv_bytes / block_bytes));
  }
  const TerminusLlamaLimits limits = {.slots = options.slots(),
                                      .max_sequences = options.max_sequences,
                                      .max_tokens = options.max_tokens,
                                      .kv_blocks = blocks,
                                      .memory_share = options.memory_share,
                                      .poison = options.poison ? 1 : 0,
                                      .tuning_directory = options.tuning_directory.empty()
                                                              ? nullptr
                                                              : options.tuning_directory.c_str()};
  if (api_->create(&model, &limits, &engine_, error_.data(), error_.size()) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("GPU: ", error_.c_str()));
  }
  info_ = {.device = device.str(),
           .vocab_size = config_.vocab_size,
           .hidden_size = config_.hidden_size,
           .max_context = config_.max_positions,
           .kv_blocks = api_->memory(engine_).kv_blocks,
           .kv_block_bytes = block_bytes,
           .slots = options.slots(),
           .max_tokens = options.max_tokens,
           .steps_in_flight = 2};
  return absl::OkStatus();
}

void CudaLlama::SetRules(sampling::LogitRules rules) {
  rules_ = std::move(rules);
  samples_on_device_ = sampling::DeviceCanApply(rules_);
}

absl::Status CudaLlama::CheckSizes(const StepInput& input, size_t sequences) const {
  if (sequences > static_cast<size_t>(max_sequences_) ||
      input.token_ids.size() > static_cast<size_t>(info_.max_tokens) ||
      input.logits_tokens.size() > static_cast<size_t>(max_sequences_)) {
    return Bad(sequences, " sequences, ", input.token_ids.size(), " tokens and ",
               input.logits_tokens.size(), " rows of logits; the engine takes ", max_sequences_,
               ", ", info_.max_tokens, " and ", max_sequences_);
  }
  return CheckStep(input, {.vocab_size = info_.vocab_size,
                           .max_context = info_.max_context,
                           .kv_blocks = info_.kv_blocks,
                           .hidden_size = info_.hidden_size,
                           .first_stage = true});
}

absl::Status CudaLlama::Submit(const StepInput& input, absl::Span<const int32_t> token_ids,
                               absl::Span<const int32_t> slots) {
  soft_.clear();
  for (const SoftSpan& span : input.soft) {
    soft_.push_back(
        {.first_token = span.first_token,
         .rows = span.rows,
         .values = span.tokens->values.data() + int64_t{span.first_row} * info_.hidden_size});
  }
  const TerminusLlamaStep step = {.tokens = static_cast<int32_t>(token_ids.size()),
                                  .sequences = static_cast<int32_t>(slots.size()),
                                  .logits_count = static_cast<int32_t>(input.logits_tokens.size()),
                                  .soft_count = static_cast<int32_t>(soft_.size()),
                                  .token_ids = token_ids.data(),
                                  .query_indptr = input.query_indptr.data(),
                                  .slots = slots.data(),
                                  .kv_indptr = input.kv.indptr.data(),
                                  .kv_indices = input.kv.indices.data(),
                                  .last_page_len = input.kv.last_page_len.data(),
                                  .logits_tokens = input.logits_tokens.data(),
                                  .soft = soft_.data()};
  return Call(api_->forward, &step);
}

absl::StatusOr<Logits> CudaLlama::Forward(const StepInput& input) {
  TERMINUS_CHECK(ended_.empty());
  const size_t sequences = input.query_indptr.empty() ? 0 : input.query_indptr.size() - 1;
  TERMINUS_RETURN_IF_ERROR(CheckSizes(input, sequences));
  std::vector<int32_t> slots(sequences);
  std::iota(slots.begin(), slots.end(), 0);
  TERMINUS_RETURN_IF_ERROR(Submit(input, input.token_ids, slots));
  const size_t rows = input.logits_tokens.size();
  const auto width = static_cast<size_t>(info_.vocab_size);
  logits_.resize(rows * width);
  for (size_t row = 0; row < rows; ++row) {
    TERMINUS_RETURN_IF_ERROR(
        Call(api_->copy_logits, static_cast<int32_t>(row), logits_.data() + row * width));
  }
  TERMINUS_RETURN_IF_ERROR(Call(api_->end_step));
  TerminusLlamaResults results;
  TERMINUS_RETURN_IF_ERROR(Call(api_->wait, &results));
  return Logits{.rows = static_cast<int>(rows), .vocab_size = info_.vocab_size, .values = logits_};
}

absl::StatusOr<HiddenStates> CudaLlama::ForwardHidden(const StepInput& /*input*/) {
  TERMINUS_CHECK(false);
  return absl::InternalError("the engine has all layers");
}

absl::Status CudaLlama::OpenSlot(int32_t slot, const SlotState& state) {
  if (slot < 0 || slot >= info_.slots) {
    return Bad("slot ", slot, ", there are ", info_.slots);
  }
  Slot& opened = slots_[static_cast<size_t>(slot)];
  opened.state = state;
  opened.state.tokens = {};
  opened.tokens.assign(state.tokens.begin(), state.tokens.end());
  // Where the host samples, the device keeps the last token alone.
  const sampling::DeviceSampling sampling =
      samples_on_device_
          ? sampling::MakeDeviceSampling(state.sampling, rules_, state.prompt_length)
          : sampling::MakeDeviceSampling({.temperature = 0}, {}, state.prompt_length);
  const int32_t count = samples_on_device_ ? static_cast<int32_t>(state.tokens.size()) : 0;
  return Call(api_->open_slot, slot, &sampling.slot, sampling.rules.data(), state.tokens.data(),
              count);
}

absl::Status CudaLlama::Forward(const ForwardInput& input) {
  checked_ids_.assign(input.token_ids.begin(), input.token_ids.end());
  const size_t sequences = input.slots.size();
  if (input.query_indptr.size() != sequences + 1) {
    return Bad(sequences, " slots but ", input.query_indptr.size(), " offsets in query_indptr");
  }
  for (size_t i = 0; i < sequences; ++i) {
    const int32_t slot = input.slots[i];
    if (slot < 0 || slot >= info_.slots) {
      return Bad("slot ", slot, ", there are ", info_.slots);
    }
    const int32_t first = input.query_indptr[i];
    if (input.query_indptr[i + 1] - first == 1 && first >= 0 &&
        static_cast<size_t>(first) < checked_ids_.size() &&
        checked_ids_[static_cast<size_t>(first)] == kFromSampler) {
      checked_ids_[static_cast<size_t>(first)] = 0;
    }
  }
  logits_tokens_.clear();
  row_slots_.clear();
  for (const int32_t sequence : input.logits_sequences) {
    if (sequence < 0 || static_cast<size_t>(sequence) >= sequences) {
      return Bad("logits are wanted of sequence ", sequence, " of ", sequences);
    }
    logits_tokens_.push_back(input.query_indptr[static_cast<size_t>(sequence) + 1] - 1);
    row_slots_.push_back(input.slots[static_cast<size_t>(sequence)]);
  }
  const StepInput step = {.token_ids = checked_ids_,
                          .positions = input.positions,
                          .query_indptr = input.query_indptr,
                          .kv = input.kv,
                          .logits_tokens = logits_tokens_,
                          .hidden_states = {},
                          .soft = input.soft};
  TERMINUS_RETURN_IF_ERROR(CheckSizes(step, sequences));
  step_ = {};
  return Submit(step, input.token_ids, input.slots);
}

absl::Status CudaLlama::Sample(absl::Span<const SampleRow> rows) {
  const size_t words = (static_cast<size_t>(info_.vocab_size) + 31) / 32;
  masks_.clear();
  rows_.clear();
  for (const SampleRow& row : rows) {
    if (row.row < 0 || static_cast<size_t>(row.row) >= row_slots_.size()) {
      return Bad("row ", row.row, " is sampled, there are ", row_slots_.size());
    }
    if (!samples_on_device_) {
      TERMINUS_RETURN_IF_ERROR(SampleOnHost(row));
      continue;
    }
    int32_t mask = -1;
    if (row.mask != nullptr) {
      mask = static_cast<int32_t>(masks_.size() / words);
      masks_.insert(masks_.end(), row.mask, row.mask + words);
    }
    rows_.push_back({.row = row.row,
                     .slot = row_slots_[static_cast<size_t>(row.row)],
                     .length = row.length,
                     .mask = mask});
    step_.rows.push_back(row.row);
  }
  return Call(api_->sample, rows_.data(), static_cast<int32_t>(rows_.size()), masks_.data(),
              static_cast<int32_t>(masks_.size() / words));
}

absl::Status CudaLlama::SampleOnHost(const SampleRow& row) {
  const int32_t slot = row_slots_[static_cast<size_t>(row.row)];
  Slot& state = slots_[static_cast<size_t>(slot)];
  logits_.resize(static_cast<size_t>(info_.vocab_size));
  TERMINUS_RETURN_IF_ERROR(Call(api_->copy_logits, row.row, logits_.data()));
  absl::StatusOr<sampling::Sampled> sampled =
      sampling::Sample(logits_, state.state.sampling, static_cast<uint64_t>(row.length), rules_,
                       {.tokens = state.tokens,
                        .length = row.length,
                        .prompt_length = state.state.prompt_length,
                        .max_length = state.state.max_length},
                       row.mask);
  const int32_t token = sampled.ok() ? sampled->chosen.token : sampling::kFallbackToken;
  if (sampling::LooksBack(rules_, state.state.sampling)) {
    state.tokens.push_back(token);
  }
  step_.host_results.push_back({.row = row.row, .sampled = std::move(sampled)});
  return Call(api_->set_token, slot, token);
}

absl::Status CudaLlama::EndStep() {
  ended_.push_back(std::exchange(step_, {}));
  return Call(api_->end_step);
}

absl::StatusOr<StepOutput> CudaLlama::Collect() {
  TERMINUS_CHECK(!ended_.empty());
  Step step = std::move(ended_.front());
  ended_.pop_front();
  TerminusLlamaResults results;
  TERMINUS_RETURN_IF_ERROR(Call(api_->wait, &results));
  StepOutput output{.rows = std::move(step.host_results), .late = results.late != 0};
  if (results.count != static_cast<int32_t>(step.rows.size())) {
    return absl::InternalError(
        absl::StrCat("GPU: ", results.count, " tokens, expected ", step.rows.size()));
  }
  for (size_t i = 0; i < step.rows.size(); ++i) {
    output.rows.push_back(
        {.row = step.rows[i],
         .sampled = SampledOf(results.results[i], results.top + i * TERMINUS_MAX_TOP_LOGPROBS)});
  }
  return output;
}

}  // namespace terminus::models::decoder
