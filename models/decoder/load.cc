#include "models/decoder/load.h"

#include <c10/core/CachingDeviceAllocator.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "models/checkpoint/check.h"
#include "models/checkpoint/weights.h"
#include "models/decoder/aten_llama.h"
#include "models/decoder/cpu_llama.h"
#include "models/decoder/cuda/llama_api.h"
#include "models/decoder/cuda_llama.h"
#include "models/decoder/llama_architecture.h"
#include "models/decoder/llama_config.h"
#include "models/decoder/llama_tensors.h"
#include "models/decoder/memory_plan.h"
#include "models/decoder/tensor_group.h"
#include "models/decoder/tensor_slice.h"
#include "models/kernels/isa.h"

namespace terminus::models::decoder {
namespace {

constexpr int kMaxKvBlocks = 1 << 24;
constexpr int64_t kDefaultKvBytes = int64_t{256} << 20;

absl::Status ResolveLayers(const LlamaConfig& config, LayerRange* layers) {
  if (layers->last == -1) {
    layers->last = config.layers;
  }
  if (layers->first < 0 || layers->first >= layers->last || layers->last > config.layers) {
    return absl::InvalidArgumentError(absl::StrCat("layers ", layers->first, " to ", layers->last,
                                                   ", the model has ", config.layers));
  }
  return absl::OkStatus();
}

// Whether the slice is one of the model, and of what computes on the device. A check alone needs no
// group.
absl::Status CheckTensor(const LlamaConfig& config, const LmOptions& options, at::Device device) {
  const TensorSlice& slice = options.tensor;
  TERMINUS_RETURN_IF_ERROR(CheckSlice(config, slice));
  if (slice.size == 1) {
    return absl::OkStatus();
  }
  if (device.is_cuda()) {
    return absl::UnimplementedError(absl::StrCat(
        "rank ", slice.rank, " of a tensor group of ", slice.size, " on ", device.str(),
        ": CudaLlama and AtenLlama compute whole layers; only the CPU computes slices of them"));
  }
  const TensorGroup* const group = options.tensor_group.get();
  if (group == nullptr && !device.is_meta()) {
    return absl::InvalidArgumentError(absl::StrCat("rank ", slice.rank, " of a tensor group of ",
                                                   slice.size, " was given no group"));
  }
  if (group != nullptr && (group->rank() != slice.rank || group->size() != slice.size)) {
    return absl::InvalidArgumentError(absl::StrCat("rank ", slice.rank, " of a tensor group of ",
                                                   slice.size, " was given the group of rank ",
                                                   group->rank(), " of ", group->size()));
  }
  return absl::OkStatus();
}

absl::Status ResolveKv(const LlamaConfig& config, int64_t element_bytes, LmOptions* options) {
  if (options->kv_blocks == 0) {
    const LlamaConfig rank = RankConfig(config, options->tensor);
    const int64_t bytes = KvBlockBytes(options->layers.last - options->layers.first, rank.kv_heads,
                                       rank.head_dim, element_bytes);
    // The ATen reference on a GPU has the CPU's default as well.
    const int64_t available = options->kv_bytes > 0 ? options->kv_bytes : kDefaultKvBytes;
    options->kv_blocks = static_cast<int>(std::clamp<int64_t>(available / bytes, 1, kMaxKvBlocks));
  }
  if (options->kv_blocks < 1 || options->kv_blocks > kMaxKvBlocks) {
    return absl::InvalidArgumentError(
        absl::StrCat(options->kv_blocks, " KV blocks, expected 1 to ", kMaxKvBlocks));
  }
  return absl::OkStatus();
}

// The dtype of the first matrix stands for all.
ComputeDType ResolveDType(const LlamaConfig& config, const LmOptions& options,
                          const checkpoint::Weights& weights) {
  if (options.dtype != ComputeDType::kAuto) {
    return options.dtype;
  }
  const LayerSpec layer = DescribeLayer(config, options.layers.first);
  const std::string matrix = layer.gate_up.parts[0].name + ".weight";
  return weights.TypeOf(matrix) == at::kBFloat16 ? ComputeDType::kBFloat16 : ComputeDType::kFloat32;
}

// Whether the engine of a GPU computes the model; else the reference does, on whatever device.
bool UsesEngine(const LlamaConfig& config, const LmOptions& options, at::Device device) {
  if (!device.is_cuda() || options.dtype == ComputeDType::kFloat32) {
    return false;
  }
  const absl::Status status = CudaLlama::Supports(config, options.layers);
  if (!status.ok()) {
    base::LogWarning(absl::StrCat("the GPU engine does not compute ", status.message(),
                                  ": the slow reference does"));
  }
  return status.ok();
}

// The device's memory, after LibTorch has given back to it what it kept for later.
DeviceMemory MemoryOf(at::Device device) {
  at::globalContext().lazyInitDevice(device.type());
  c10::DeviceAllocator* const allocator = c10::getDeviceAllocator(device.type());
  allocator->emptyCache();
  const auto [free, total] = allocator->getMemoryInfo(device.has_index() ? device.index() : 0);
  return {.free = static_cast<int64_t>(free), .total = static_cast<int64_t>(total)};
}

// The GPU engine's need of device memory.
MemoryNeed EngineNeed(const LlamaConfig& config, const LmOptions& options) {
  MemoryNeed need = NeedOf(config, options, /*element_bytes=*/2);
  if (options.kv_blocks == 0 && options.kv_bytes == 0) {
    need.graphs = TERMINUS_LLAMA_GRAPH_BYTES;
  }
  return need;
}

// Before any weight is read, so that a model that is too large disturbs nobody.
absl::Status CheckRoom(const MemoryNeed& need, const LmOptions& options, at::Device device) {
  if (device.is_meta() || (device.is_cpu() && !options.device_memory)) {
    return absl::OkStatus();
  }
  const DeviceMemory memory = options.device_memory ? options.device_memory() : MemoryOf(device);
  return CheckFits(need, memory, options);
}

absl::StatusOr<std::unique_ptr<CausalLm>> LoadEngine(const LlamaConfig& config,
                                                     const LmOptions& options, at::Device device,
                                                     checkpoint::Weights& weights) {
  if (ResolveDType(config, options, weights) != ComputeDType::kBFloat16) {
    base::LogWarning("the weights are rounded to bfloat16, in which the GPU computes");
  }
  CudaLlama::Tensors tensors = CudaLlama::LoadTensors(config, device, weights);
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return CudaLlama::Create(config, options, device, std::move(tensors));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CausalLm>> LoadCausalLm(const std::string& folder, at::Device device,
                                                       LmOptions options) {
  TERMINUS_RETURN_IF_ERROR(checkpoint::CheckOnMeta(
      device, [&](at::Device meta) { return LoadCausalLm(folder, meta, options).status(); }));
  options = ResolveSizes(options, device.is_cuda());
  TERMINUS_ASSIGN_OR_RETURN(const LlamaConfig config, ReadLlamaConfig(folder));
  TERMINUS_RETURN_IF_ERROR(CheckTensor(config, options, device));
  TERMINUS_RETURN_IF_ERROR(ResolveLayers(config, &options.layers));
  TERMINUS_ASSIGN_OR_RETURN(auto weights, checkpoint::Weights::Open(folder, device, kLlamaNames));
  SkipTensorsOfOthers(config, weights);
  if (UsesEngine(config, options, device)) {
    TERMINUS_RETURN_IF_ERROR(CheckRoom(EngineNeed(config, options), options, device));
    return LoadEngine(config, options, device, weights);
  }
  options.dtype = ResolveDType(config, options, weights);
  const bool narrow = !device.is_cpu() && options.dtype == ComputeDType::kBFloat16;
  const int64_t element_bytes = narrow ? 2 : 4;
  TERMINUS_RETURN_IF_ERROR(ResolveKv(config, element_bytes, &options));
  TERMINUS_RETURN_IF_ERROR(CheckRoom(NeedOf(config, options, element_bytes), options, device));
  std::unique_ptr<CausalLm> lm;
  if (device.is_cpu()) {
    lm = std::make_unique<CpuLlama>(config, options, kernels::BestIsa(), weights);
  } else {
    // On "meta" it stands for all back ends, and for every rank: it asks for whole tensors.
    lm = std::make_unique<AtenLlama>(config, options, device, weights);
  }
  TERMINUS_RETURN_IF_ERROR(weights.Finish());
  return lm;
}

}  // namespace terminus::models::decoder
