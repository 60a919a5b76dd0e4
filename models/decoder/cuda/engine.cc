#include "models/decoder/cuda/engine.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <string>

namespace terminus::models::decoder::cuda {
namespace {

constexpr size_t kPartialBytes = size_t{64} << 20;
constexpr size_t kScheduleBytes = size_t{2} << 20;

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
      products_(limits.max_tokens) {
  ReadModel(model);
  MakeAngles(model);
  AllocateCache(limits.kv_blocks);
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
  inputs_ = std::make_unique<StepInputs>(MakeStepLimits(limits));
  for (Event& event : done_) {
    event = MakeEvent();
  }
  Tune(limits);
  CaptureGraphs(limits.slots);
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

void Engine::AllocateCache(int kv_blocks) {
  // One block more takes what the padded rows of graphs write.
  const size_t block = size_t{kBlockTokens} * config_.kv_size();
  const size_t side = (static_cast<size_t>(kv_blocks) + 1) * block;
  const size_t count = 2 * side * config_.layers;
  cache_ = AllocateDevice<Bf16>(count);
  Check(cudaMemset(cache_.get(), 0, count * sizeof(Bf16)), "cudaMemset");
  memory_.kv_cache = static_cast<int64_t>(count * sizeof(Bf16));
  for (int i = 0; i < config_.layers; ++i) {
    Bf16* const keys = cache_.get() + 2 * side * i;
    context_.caches.push_back({.keys = keys, .values = keys + side});
  }
}

StepLimits Engine::MakeStepLimits(const TerminusLlamaLimits& limits) const {
  const int64_t blocks_each = (config_.max_positions + kBlockTokens - 1) / kBlockTokens;
  StepLimits step;
  step.slots = limits.slots;
  step.max_tokens = limits.max_tokens;
  step.kv_blocks = limits.kv_blocks;
  // Tables of prefilled sequences are there twice.
  step.max_kv_indices = 2 * blocks_each * limits.slots;
  step.attention_parts =
      std::max(1, DecodeAttentionSlots(config_.head_dim) / config_.kv_heads);
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
  const size_t slots = limits.slots;
  allocate(activations_.x, tokens * config_.hidden_size);
  allocate(activations_.normed, tokens * config_.hidden_size);
  allocate(activations_.qkv, tokens * (config_.q_size() + 2 * config_.kv_size()));
  allocate(activations_.attended, tokens * config_.q_size());
  allocate(activations_.gate_up, tokens * 2 * config_.intermediate_size);
  allocate(activations_.inner, tokens * config_.intermediate_size);
  allocate(activations_.logits, slots * config_.vocab_size);
  const size_t items = ItemCapacity(MakeStepLimits(limits), limits.slots);
  allocate(parts_.sums, items * config_.heads * config_.head_dim);
  allocate(parts_.weights, items * config_.heads);
  allocate(parts_.arrived, slots * config_.kv_heads);
  allocate(last_tokens_, slots);
  allocate(partial_, kPartialBytes);
  allocate(schedule_, context_.windows.size() * kScheduleBytes);
  for (auto& pinned : pinned_schedules_) {
    pinned = AllocatePinned<uint8_t>(context_.windows.size() * kScheduleBytes);
  }
  memory_.workspace = bytes;
}

void Engine::Tune(const TerminusLlamaLimits& limits) {
  const Layer& layer = layers_.front();
  const Activations& a = activations_;
  const cudaStream_t stream = stream_.get();
  const auto tune = [&](const Linear& linear, const Bf16* x, Bf16* y, bool adds) {
    products_.Tune(linear, x, y, adds, /*float_y=*/false, limits.max_tokens, stream);
  };
  tune(layer.qkv, a.normed.get(), a.qkv.get(), false);
  tune(layer.attention_out, a.attended.get(), a.x.get(), true);
  tune(layer.gate_up, a.normed.get(), a.gate_up.get(), false);
  tune(layer.down, a.inner.get(), a.x.get(), true);
  products_.Tune(head_, a.normed.get(), a.logits.get(), /*adds=*/false, /*float_y=*/true,
                 limits.slots, stream);
}

LayerOps::Step Engine::MakeStep(const StepShape& shape, const StepCapacity& capacity) const {
  return {.shape = shape,
          .capacity = capacity,
          .item_capacity = ItemCapacity(inputs_->limits(),
                                        std::min(capacity.tokens, inputs_->limits().slots)),
          .inputs = inputs_->OnDevice(capacity),
          .schedules = {}};
}

void Engine::Launch(const LayerOps::Step& step, bool all_logits) {
  const cudaStream_t stream = stream_.get();
  const int tokens = step.capacity.tokens;
  Check(LaunchEmbed({.table = embedding_,
                     .token_ids = step.inputs.token_ids,
                     .slots = step.inputs.slots,
                     .last_tokens = last_tokens_.get(),
                     .x = activations_.x.get(),
                     .tokens = tokens,
                     .hidden = config_.hidden_size},
                    stream),
        "embedding");
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
  products_.RunFloat(head_, activations_.normed.get(), activations_.logits.get(), rows, stream);
}

void Engine::CaptureGraphs(int slots) {
  for (int rows = 1; rows <= slots; rows = ProductBucket(rows) + 1) {
    const int bucket = std::min(ProductBucket(rows), slots);
    const StepShape shape = {
        .tokens = bucket, .decodes = bucket, .prefills = 0, .logits = bucket};
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
  const bool decodes_only = step.tokens == step.sequences;
  const auto bucket = graphs_.lower_bound(step.tokens);
  const bool as_graph = decodes_only && bucket != graphs_.end();
  const StepCapacity capacity = {.tokens = as_graph ? bucket->first : step.tokens,
                                 .sequences = as_graph ? 0 : step.sequences};
  const StepShape shape = inputs_->Write(step, capacity, parity, stream_.get());
  logits_rows_.resize(step.logits_count);
  if (as_graph) {
    logits_rows_ = inputs_->logits_tokens();
    Check(cudaGraphLaunch(bucket->second.get(), stream_.get()), "graph launch");
    return;
  }
  std::iota(logits_rows_.begin(), logits_rows_.end(), 0);
  LayerOps::Step work = MakeStep(shape, capacity);
  if (shape.prefills > 0) {
    work.schedules = PlanPrefills(shape, inputs_->OnHost(capacity, parity), parity);
  }
  Launch(work, /*all_logits=*/false);
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
        {.schedule = PlanPrefill({.heads = config_.heads,
                                  .kv_heads = config_.kv_heads,
                                  .head_dim = config_.head_dim},
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
  Check(cudaEventRecord(done_[(begun_ - 1) % 2].get(), stream_.get()), "event");
}

void Engine::Wait() {
  Check(cudaEventSynchronize(done_[waited_ % 2].get()), "step");
  ++waited_;
}

}  // namespace terminus::models::decoder::cuda
