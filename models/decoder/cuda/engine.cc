#include "models/decoder/cuda/engine.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>

namespace terminus::models::decoder::cuda {
namespace {

constexpr size_t kPartialBytes = size_t{64} << 20;
constexpr size_t kScheduleBytes = size_t{2} << 20;
// What graphs take, at most.
constexpr size_t kGraphBytes = size_t{1} << 30;
constexpr size_t kTunedLayers = 8;
constexpr int64_t kMaxKvBlocks = int64_t{1} << 27;

const Bf16* Matrix(const void* data) { return static_cast<const Bf16*>(data); }

Stream MakeStream() {
  cudaStream_t stream = nullptr;
  Check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
  return Stream(stream);
}

Event MakeEvent() {
  cudaEvent_t event = nullptr;
  Check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  return Event(event);
}

LlamaConfig ConfigOf(const TerminusLlamaModel& model) {
  LlamaConfig config;
  config.vocab_size = model.vocab_size;
  config.hidden_size = model.hidden_size;
  config.layers = model.layer_count;
  config.heads = model.heads;
  config.kv_heads = model.kv_heads;
  config.head_dim = model.head_dim;
  config.intermediate_size = model.intermediate_size;
  config.max_positions = model.max_context;
  config.rms_norm_eps = model.norm_eps;
  config.qk_norm = model.layers[0].query_norm != nullptr;
  for (int i = 0; i < model.layer_count; ++i) {
    config.layer_attention.push_back(
        {.window = model.layers[i].window, .rope = model.layers[i].rotates != 0});
  }
  return config;
}

}  // namespace

Engine::Engine(const TerminusLlamaModel& model, const TerminusLlamaLimits& limits)
    : device_(model.device),
      config_(ConfigOf(model)),
      stream_((Check(cudaSetDevice(model.device), "cudaSetDevice"), MakeStream())),
      products_(limits.max_tokens, model.intermediate_size) {
  // The weights come by other streams.
  Check(cudaDeviceSynchronize(), "weights");
  ReadModel(model);
  MakeAngles(model);
  context_.config = &config_;
  context_.products = &products_;
  context_.activations = &activations_;
  context_.parts = &parts_;
  context_.angles = angles_.get();
  std::set<int> windows;
  for (const LayerAttention& attention : config_.layer_attention) {
    windows.insert(attention.window);
  }
  context_.windows.assign(windows.begin(), windows.end());
  AllocateActivations(limits);
  AllocateSampling(limits);
  Tune(limits);
  AllocateCache(limits);
  inputs_ = std::make_unique<StepInputs>(MakeStepLimits(limits));
  for (Event& event : done_) {
    event = MakeEvent();
  }
  CaptureGraphs(limits.max_sequences);
  Check(cudaStreamSynchronize(stream_.get()), "load");
}

void Engine::ReadModel(const TerminusLlamaModel& model) {
  const int64_t hidden = model.hidden_size;
  const int64_t q = config_.q_size();
  const int64_t qkv = q + 2 * config_.kv_size();
  const int64_t inner = model.intermediate_size;
  const auto linear = [](const void* weight, const void* bias, int64_t in, int64_t out) {
    return Linear{.weight = Matrix(weight), .bias = Matrix(bias), .in = in, .out = out};
  };
  for (int i = 0; i < model.layer_count; ++i) {
    const TerminusLlamaLayer& layer = model.layers[i];
    layers_.push_back(
        {.attention_norm = {Matrix(layer.attention_norm)},
         .qkv = linear(layer.qkv, layer.qkv_bias, hidden, qkv),
         .query_norm = {Matrix(layer.query_norm)},
         .key_norm = {Matrix(layer.key_norm)},
         .attention_out = linear(layer.attention_out, layer.attention_out_bias, q, hidden),
         .mlp_norm = {Matrix(layer.mlp_norm)},
         .gate_up = linear(layer.gate_up, layer.gate_up_bias, hidden, 2 * inner),
         .down = linear(layer.down, layer.down_bias, inner, hidden)});
  }
  embedding_ = Matrix(model.embedding);
  final_norm_ = {Matrix(model.final_norm)};
  head_ = linear(model.head, nullptr, hidden, model.vocab_size);
}

// As transformers does: the angle is a float32 product, then its cosine and sine.
void Engine::MakeAngles(const TerminusLlamaModel& model) {
  const int half = config_.head_dim / 2;
  std::vector<float2> angles(static_cast<size_t>(model.max_context) * half);
  for (int position = 0; position < model.max_context; ++position) {
    for (int i = 0; i < half; ++i) {
      const double angle = static_cast<float>(position) * model.rope_frequencies[i];
      angles[static_cast<size_t>(position) * half + i] = {
          static_cast<float>(std::cos(angle) * model.rope_scale),
          static_cast<float>(std::sin(angle) * model.rope_scale)};
    }
  }
  angles_ = AllocateDevice<float2>(angles.size());
  Check(cudaMemcpy(angles_.get(), angles.data(), angles.size() * sizeof(float2),
                   cudaMemcpyHostToDevice),
        "copy of the angles");
}

void Engine::AllocateCache(const TerminusLlamaLimits& limits) {
  const size_t block = size_t{kBlockTokens} * config_.kv_size();
  const size_t block_bytes = 2 * block * config_.layers * sizeof(Bf16);
  int64_t blocks = limits.kv_blocks;
  if (blocks == 0) {
    size_t free = 0;
    size_t total = 0;
    Check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    const double kept = (1 - double{limits.memory_share}) * static_cast<double>(total);
    const double left =
        static_cast<double>(free) - kept - static_cast<double>(kGraphBytes) - block_bytes;
    blocks = static_cast<int64_t>(std::max(0.0, left) / static_cast<double>(block_bytes));
    if (blocks < 1) {
      throw std::runtime_error(
          "no room for keys and values: " + std::to_string(free >> 20) + " MiB of the device's " +
          std::to_string(total >> 20) + " MiB are free beside the weights, of which " +
          std::to_string(static_cast<int64_t>(kept) >> 20) + " MiB stay free and " +
          std::to_string(kGraphBytes >> 20) + " MiB are for graphs");
    }
  }
  // One block more takes what the padded rows of graphs write.
  const size_t side = (static_cast<size_t>(blocks) + 1) * block;
  const size_t count = 2 * side * config_.layers;
  cache_ = AllocateDevice<Bf16>(count);
  Check(cudaMemset(cache_.get(), 0, count * sizeof(Bf16)), "cudaMemset");
  memory_.kv_cache_bytes = static_cast<int64_t>(count * sizeof(Bf16));
  memory_.kv_blocks = static_cast<int32_t>(std::min<int64_t>(blocks, kMaxKvBlocks));
  for (int i = 0; i < config_.layers; ++i) {
    Bf16* const keys = cache_.get() + 2 * side * i;
    context_.caches.push_back({.keys = keys, .values = keys + side});
  }
}

void Engine::AllocateSampling(const TerminusLlamaLimits& limits) {
  const size_t rows = limits.max_sequences;
  max_sequences_ = limits.max_sequences;
  Check(models::cuda::DeviceSampler::Create({.slots = limits.slots,
                                             .vocab_size = config_.vocab_size,
                                             .max_rows = limits.max_sequences,
                                             .max_tokens = config_.max_positions},
                                            &sampler_),
        "sampler");
  mask_words_ = (config_.vocab_size + 31) / 32;
  top_logprobs_.assign(limits.slots, -1);
  sampling_rows_ = AllocateDevice<TerminusSamplingRow>(rows);
  masks_ = AllocateDevice<uint32_t>(rows * mask_words_);
  results_ = AllocateDevice<TerminusSamplingResult>(rows);
  top_ = AllocateDevice<TerminusTopLogprob>(rows * TERMINUS_MAX_TOP_LOGPROBS);
  for (SamplingCopies& copies : copies_) {
    copies.rows = AllocatePinned<TerminusSamplingRow>(rows);
    copies.masks = AllocatePinned<uint32_t>(rows * mask_words_);
    copies.results = AllocatePinned<TerminusSamplingResult>(rows);
    copies.top = AllocatePinned<TerminusTopLogprob>(rows * TERMINUS_MAX_TOP_LOGPROBS);
  }
  for (auto& soft : soft_) {
    soft = AllocatePinned<Bf16>(static_cast<size_t>(limits.max_tokens) * config_.hidden_size);
  }
}

StepLimits Engine::MakeStepLimits(const TerminusLlamaLimits& limits) const {
  const int64_t blocks_each = (config_.max_positions + kBlockTokens - 1) / kBlockTokens;
  StepLimits step;
  step.max_sequences = limits.max_sequences;
  step.max_tokens = limits.max_tokens;
  step.kv_blocks = memory_.kv_blocks;
  // Tables of prefilled sequences are there twice.
  step.max_kv_indices = 2 * blocks_each * limits.max_sequences;
  step.attention_parts = std::max(1, DecodeAttentionSlots(config_.head_dim) / config_.kv_heads);
  step.windows = context_.windows;
  return step;
}

void Engine::AllocateActivations(const TerminusLlamaLimits& limits) {
  int64_t bytes = 0;
  const auto allocate = [&bytes](auto& pointer, size_t count) {
    using T = std::remove_reference_t<decltype(pointer[0])>;
    pointer = AllocateDevice<T>(count);
    // Rows that pad a graph are computed too: with numbers.
    Check(cudaMemset(pointer.get(), 0, count * sizeof(T)), "cudaMemset");
    bytes += static_cast<int64_t>(count * sizeof(T));
  };
  const size_t tokens = limits.max_tokens;
  const size_t sequences = limits.max_sequences;
  allocate(activations_.x, tokens * config_.hidden_size);
  allocate(activations_.normed, tokens * config_.hidden_size);
  allocate(activations_.qkv, tokens * (config_.q_size() + 2 * config_.kv_size()));
  allocate(activations_.attended, tokens * config_.q_size());
  allocate(activations_.inner, tokens * config_.intermediate_size);
  allocate(activations_.logits, sequences * config_.vocab_size);
  const size_t items = ItemCapacity(MakeStepLimits(limits), limits.max_sequences);
  allocate(parts_.sums, items * config_.heads * config_.head_dim);
  allocate(parts_.weights, items * config_.heads);
  allocate(parts_.arrived, sequences * config_.kv_heads);
  allocate(partial_, kPartialBytes);
  allocate(schedule_, context_.windows.size() * kScheduleBytes);
  for (auto& pinned : pinned_schedules_) {
    pinned = AllocatePinned<uint8_t>(context_.windows.size() * kScheduleBytes);
  }
  memory_.workspace_bytes = bytes;
}

void Engine::Tune(const TerminusLlamaLimits& limits) {
  // Of so many layers, whose weights together are more than the device's cache holds.
  const size_t count = std::min<size_t>(layers_.size(), kTunedLayers);
  const Activations& a = activations_;
  const auto tune = [&](Linear Layer::*member, const Bf16* x, Bf16* y, ProductOutput output) {
    std::vector<Linear> linears;
    for (size_t i = 0; i < count; ++i) {
      linears.push_back(layers_[i].*member);
    }
    products_.Tune(linears, x, y, output, limits.max_tokens, stream_.get());
  };
  tune(&Layer::qkv, a.normed.get(), a.qkv.get(), ProductOutput::kBf16);
  tune(&Layer::attention_out, a.attended.get(), a.x.get(), ProductOutput::kAdd);
  tune(&Layer::gate_up, a.normed.get(), a.inner.get(), ProductOutput::kGated);
  tune(&Layer::down, a.inner.get(), a.x.get(), ProductOutput::kAdd);
  products_.Tune({head_}, a.normed.get(), a.logits.get(), ProductOutput::kFloat,
                 limits.max_sequences, stream_.get());
}

LayerOps::Step Engine::MakeStep(const StepShape& shape, const StepCapacity& capacity) const {
  return {.shape = shape,
          .capacity = capacity,
          .item_capacity = ItemCapacity(inputs_->limits(),
                                        std::min(capacity.tokens, inputs_->limits().max_sequences)),
          .inputs = inputs_->OnDevice(capacity),
          .schedules = {},
          .soft = nullptr,
          .parity = 0};
}

void Engine::Launch(const LayerOps::Step& step, bool all_logits) {
  const cudaStream_t stream = stream_.get();
  const int tokens = step.capacity.tokens;
  Check(LaunchEmbed({.table = embedding_,
                     .token_ids = step.inputs.token_ids,
                     .slots = step.inputs.slots,
                     .last_tokens = sampler_->last_tokens(),
                     .x = activations_.x.get(),
                     .tokens = tokens,
                     .hidden = config_.hidden_size},
                    stream),
        "embedding");
  if (step.soft != nullptr) {
    CopySoft(*step.soft, step.parity);
  }
  LayerOps ops(context_, step, stream);
  RunLlamaLayers<NormWeight, Linear>(config_, /*first_layer=*/0, layers_, ops);
  const int rows = all_logits ? tokens : step.shape.logits;
  if (rows == 0) {
    return;
  }
  Check(LaunchRmsNorm({.x = activations_.x.get(),
                       .weight = final_norm_.weight,
                       .rows = all_logits ? nullptr : step.inputs.logits_rows,
                       .out = activations_.normed.get(),
                       .count = rows,
                       .hidden = config_.hidden_size,
                       .eps = config_.rms_norm_eps},
                      stream),
        "final norm");
  products_.Run(head_, activations_.normed.get(), activations_.logits.get(), rows,
                ProductOutput::kFloat, stream);
}

void Engine::CaptureGraphs(int max_sequences) {
  for (int rows = 1; rows <= max_sequences; rows = ProductBucket(rows) + 1) {
    const int bucket = std::min(ProductBucket(rows), max_sequences);
    const StepShape shape = {.tokens = bucket, .decodes = bucket, .prefills = 0, .logits = bucket};
    const LayerOps::Step step = MakeStep(shape, {.tokens = bucket, .sequences = 0});
    cudaGraph_t graph = nullptr;
    Check(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal), "capture");
    Launch(step, /*all_logits=*/true);
    Check(cudaStreamEndCapture(stream_.get(), &graph), "capture");
    cudaGraphExec_t exec = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&exec, graph, 0);
    cudaGraphDestroy(graph);
    Check(error, "graph");
    graphs_[bucket] = GraphExec(exec);
    Check(cudaGraphUpload(exec, stream_.get()), "graph");
  }
}

int Engine::NextParity() {
  const int parity = static_cast<int>(begun_ % 2);
  // Of the step before the last, which has mostly been waited for.
  if (begun_ >= 2) {
    Check(cudaEventSynchronize(done_[parity].get()), "step");
  }
  ++begun_;
  return parity;
}

void Engine::Forward(const TerminusLlamaStep& step) {
  Check(cudaSetDevice(device_), "cudaSetDevice");
  const int parity = NextParity();
  SamplingCopies& copies = copies_[parity];
  copies.count = 0;
  copies.masked = 0;
  copies.has_top = false;
  const bool decodes_only = step.tokens == step.sequences && step.soft_count == 0;
  const auto bucket = graphs_.lower_bound(step.tokens);
  const bool as_graph = decodes_only && bucket != graphs_.end();
  const StepCapacity capacity = {.tokens = as_graph ? bucket->first : step.tokens,
                                 .sequences = as_graph ? 0 : step.sequences};
  const StepShape shape = inputs_->Write(step, capacity, parity, stream_.get());
  if (as_graph) {
    logits_rows_ = inputs_->logits_rows();
    Check(cudaGraphLaunch(bucket->second.get(), stream_.get()), "graph launch");
    return;
  }
  logits_rows_.resize(step.logits_count);
  std::iota(logits_rows_.begin(), logits_rows_.end(), 0);
  LayerOps::Step work = MakeStep(shape, capacity);
  work.soft = step.soft_count > 0 ? &step : nullptr;
  work.parity = parity;
  if (shape.prefills > 0) {
    work.schedules = PlanPrefills(shape, inputs_->OnHost(capacity, parity), parity);
  }
  Launch(work, /*all_logits=*/false);
}

void Engine::CopySoft(const TerminusLlamaStep& step, int parity) {
  const int64_t hidden = config_.hidden_size;
  Bf16* staged = soft_[parity].get();
  for (int i = 0; i < step.soft_count; ++i) {
    const TerminusLlamaSoft& soft = step.soft[i];
    const int64_t count = soft.rows * hidden;
    std::transform(soft.values, soft.values + count, staged,
                   [](float value) { return __float2bfloat16_rn(value); });
    Check(cudaMemcpyAsync(activations_.x.get() + inputs_->RowOf(step, soft.first_token) * hidden,
                          staged, count * sizeof(Bf16), cudaMemcpyHostToDevice, stream_.get()),
          "copy of soft tokens");
    staged += count;
  }
}

void Engine::OpenSlot(int32_t slot, const sampling::SlotSampling& sampling,
                      const sampling::TokenRule* rules, const int32_t* tokens,
                      int32_t token_count) {
  Check(cudaSetDevice(device_), "cudaSetDevice");
  Check(sampler_->OpenSlot(slot, sampling, rules, tokens, token_count, stream_.get()),
        "sampling parameters");
  top_logprobs_[slot] = sampling.top_logprobs;
}

void Engine::Sample(const TerminusSamplingRow* rows, int count, const uint32_t* masks,
                    int mask_count) {
  SamplingCopies& copies = copies_[(begun_ - 1) % 2];
  if (count == 0) {
    return;
  }
  if (copies.count + count > max_sequences_ || copies.masked + mask_count > max_sequences_) {
    throw std::runtime_error("more rows to sample than sequences");
  }
  TerminusSamplingRow* const staged = copies.rows.get() + copies.count;
  bool plain = true;
  for (int i = 0; i < count; ++i) {
    staged[i] = rows[i];
    staged[i].row = logits_rows_[rows[i].row];
    plain = plain && rows[i].mask < 0 && sampler_->IsPlain(rows[i].slot);
    copies.has_top = copies.has_top || top_logprobs_[rows[i].slot] > 0;
  }
  const cudaStream_t stream = stream_.get();
  TerminusSamplingRow* const device_rows = sampling_rows_.get() + copies.count;
  Check(
      cudaMemcpyAsync(device_rows, staged, count * sizeof(*staged), cudaMemcpyHostToDevice, stream),
      "copy of rows");
  uint32_t* const device_masks = masks_.get() + int64_t{copies.masked} * mask_words_;
  if (mask_count > 0) {
    const size_t words = static_cast<size_t>(mask_count) * mask_words_;
    uint32_t* const staged_masks = copies.masks.get() + int64_t{copies.masked} * mask_words_;
    std::copy(masks, masks + words, staged_masks);
    Check(cudaMemcpyAsync(device_masks, staged_masks, words * sizeof(uint32_t),
                          cudaMemcpyHostToDevice, stream),
          "copy of masks");
  }
  Check(sampler_->Sample({.logits = activations_.logits.get(),
                          .row_stride = config_.vocab_size,
                          .rows = device_rows,
                          .row_count = count,
                          .masks = device_masks,
                          .results = results_.get() + copies.count,
                          .top = top_.get() + int64_t{copies.count} * TERMINUS_MAX_TOP_LOGPROBS,
                          .plain = plain},
                         stream),
        "sampling");
  copies.count += count;
  copies.masked += mask_count;
}

std::vector<LayerOps::Schedule> Engine::PlanPrefills(const StepShape& shape,
                                                     const StepPointers& host, int parity) {
  std::vector<LayerOps::Schedule> schedules;
  for (size_t i = 0; i < context_.windows.size(); ++i) {
    const PrefillWorkspace workspace = {
        .partial = partial_.get(),
        .partial_bytes = kPartialBytes,
        .schedule = schedule_.get() + i * kScheduleBytes,
        .pinned_schedule = pinned_schedules_[parity].get() + i * kScheduleBytes,
        .schedule_bytes = kScheduleBytes};
    schedules.push_back(
        {.schedule = PlanPrefill(
             {.heads = config_.heads, .kv_heads = config_.kv_heads, .head_dim = config_.head_dim},
             context_.windows[i],
             {.query_indptr = host.query_indptr,
              .kv_indptr = host.kv_indptr,
              .last_page_len = host.last_page_len,
              .sequences = shape.prefills},
             workspace, stream_.get()),
         .workspace = workspace});
  }
  return schedules;
}

void Engine::EndStep() {
  const int parity = static_cast<int>((begun_ - 1) % 2);
  SamplingCopies& copies = copies_[parity];
  const cudaStream_t stream = stream_.get();
  if (copies.count > 0) {
    Check(cudaMemcpyAsync(copies.results.get(), results_.get(),
                          copies.count * sizeof(TerminusSamplingResult), cudaMemcpyDeviceToHost,
                          stream),
          "copy of tokens");
  }
  if (copies.has_top) {
    Check(cudaMemcpyAsync(copies.top.get(), top_.get(),
                          copies.count * TERMINUS_MAX_TOP_LOGPROBS * sizeof(TerminusTopLogprob),
                          cudaMemcpyDeviceToHost, stream),
          "copy of logprobs");
  }
  Check(cudaEventRecord(done_[parity].get(), stream), "event");
}

TerminusLlamaResults Engine::Wait() {
  const int parity = static_cast<int>(waited_ % 2);
  Check(cudaEventSynchronize(done_[parity].get()), "step");
  ++waited_;
  const SamplingCopies& copies = copies_[parity];
  return {.count = copies.count, .results = copies.results.get(), .top = copies.top.get()};
}

void Engine::CopyLogits(int row, float* logits) {
  const float* const from =
      activations_.logits.get() + int64_t{logits_rows_[row]} * config_.vocab_size;
  Check(cudaMemcpyAsync(logits, from, config_.vocab_size * sizeof(float), cudaMemcpyDeviceToHost,
                        stream_.get()),
        "copy of logits");
  Check(cudaStreamSynchronize(stream_.get()), "logits");
}

void Engine::SetToken(int32_t slot, int32_t token) {
  Check(cudaMemcpyAsync(const_cast<int32_t*>(sampler_->last_tokens()) + slot, &token, sizeof(token),
                        cudaMemcpyHostToDevice, stream_.get()),
        "copy of a token");
}

}  // namespace terminus::models::decoder::cuda
