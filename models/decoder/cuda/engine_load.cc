#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <string>

#include "models/decoder/cuda/engine.h"

// The constructor's work: weights, memory, trials, graphs.
namespace terminus::models::decoder::cuda {
namespace {

constexpr size_t kPartialBytes = size_t{64} << 20;
constexpr size_t kMinScheduleBytes = size_t{2} << 20;
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
    const double left = static_cast<double>(free) - kept -
                        static_cast<double>(TERMINUS_LLAMA_GRAPH_BYTES) - block_bytes;
    blocks = static_cast<int64_t>(std::max(0.0, left) / static_cast<double>(block_bytes));
    if (blocks < 1) {
      throw std::runtime_error(
          "no room for keys and values: " + std::to_string(free >> 20) + " MiB of the device's " +
          std::to_string(total >> 20) + " MiB are free beside the weights, of which " +
          std::to_string(static_cast<int64_t>(kept) >> 20) + " MiB stay free and " +
          std::to_string(TERMINUS_LLAMA_GRAPH_BYTES >> 20) + " MiB are for graphs");
    }
  }
  // One block more takes what the padded rows of graphs write.
  const size_t side = (static_cast<size_t>(blocks) + 1) * block;
  const size_t count = 2 * side * config_.layers;
  cache_ = AllocateDevice<Bf16>(count);
  // As bfloat16, 0xffff is no number.
  Check(cudaMemset(cache_.get(), limits.poison != 0 ? 0xff : 0, count * sizeof(Bf16)),
        "cudaMemset");
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
  masks_ = AllocateDevice<uint32_t>(rows * mask_words_);
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
  step.attention_parts = std::max(
      1, DecodeAttentionSlots(config_.head_dim) / DecodeGroups(config_.heads, config_.kv_heads));
  step.windows = context_.windows;
  step.poison = limits.poison != 0;
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
  allocate(parts_.arrived, sequences * DecodeGroups(config_.heads, config_.kv_heads));
  partial_bytes_ = kPartialBytes;
  allocate(partial_, partial_bytes_);
  // A sequence's last tile may be short.
  const int64_t most_tiles = limits.max_tokens / kHopperTileQueries + limits.max_sequences;
  int multiprocessors = 0;
  Check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device_),
        "cudaDeviceGetAttribute");
  schedule_bytes_ =
      std::max(kMinScheduleBytes, HopperTableSize(most_tiles * config_.heads, multiprocessors + 3) /
                                      4 * 4 * sizeof(int32_t));
  allocate(schedule_, context_.windows.size() * schedule_bytes_);
  for (auto& pinned : pinned_schedules_) {
    pinned = AllocatePinned<uint8_t>(context_.windows.size() * schedule_bytes_);
  }
  memory_.workspace_bytes = bytes;
}

void Engine::Tune(const TerminusLlamaLimits& limits) {
  // Of so many layers, whose weights together are more than the device's cache holds.
  const size_t count = std::min<size_t>(layers_.size(), kTunedLayers);
  const Activations& a = activations_;
  if (limits.tuning_directory != nullptr) {
    products_.Load(limits.tuning_directory);
  }
  // A device draws less power for zeros, and so is faster with them.
  const size_t tokens = limits.max_tokens;
  FillFromWeights(a.normed.get(), tokens * config_.hidden_size);
  FillFromWeights(a.attended.get(), tokens * config_.q_size());
  FillFromWeights(a.inner.get(), tokens * config_.intermediate_size);
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
  if (limits.tuning_directory != nullptr) {
    products_.Save(limits.tuning_directory);
  }
}

void Engine::FillFromWeights(Bf16* data, size_t count) {
  const Linear& source = layers_.front().gate_up;
  const size_t size = source.in * source.out;
  for (size_t i = 0; i < count; i += size) {
    Check(cudaMemcpyAsync(data + i, source.weight, std::min(size, count - i) * sizeof(Bf16),
                          cudaMemcpyDeviceToDevice, stream_.get()),
          "copy of weights");
  }
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

}  // namespace terminus::models::decoder::cuda
