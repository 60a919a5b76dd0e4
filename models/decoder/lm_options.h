#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace terminus::models::decoder {

// How weights are held. Activations and sums are float32 on the CPU in either case.
enum class ComputeDType {
  kAuto,      // bfloat16 when the checkpoint is, else float32.
  kFloat32,   // Exact to rounding; twice the memory traffic of bfloat16.
  kBFloat16,  // A float32 checkpoint is rounded.
};

// Decoder layers [first, last) of one pipeline stage. The stage that begins at 0 has the embedding
// table, the one that ends with the last layer has the final norm and the head.
struct LayerRange {
  int first = 0;
  int last = -1;  // -1: the model's number of layers.
};

// One rank of a tensor group, which computes a model, or a stage of it, together. A rank holds its
// slice of every layer alone (tensor_slice.h). The default is a model that is not divided.
struct TensorSlice {
  int rank = 0;
  int size = 1;
};

class TensorGroup;

// A device's memory, in bytes.
struct DeviceMemory {
  int64_t free = 0;
  int64_t total = 0;
};

struct LmOptions {
  // "cpu", "cuda:N" or "auto".
  std::string device = "auto";
  // Compute threads; 0: all cores. They count for the whole process.
  int threads = 0;
  // KV blocks to allocate; 0: as many as fit into kv_bytes, at least one.
  int kv_blocks = 0;
  // 0: 512 MiB on a CPU; on a GPU what is left of `memory_share` of its memory.
  int64_t kv_bytes = int64_t{256} << 20;
  float memory_share = 0.9f;
  // Sequences in one step; 0: 8 on a CPU, 512 on a GPU. A GPU allocates for them, and for the
  // sampling state of twice as many.
  int max_sequences = 0;
  // Tokens in one step, at least max_sequences; 0: 128 on a CPU, 8,192 on a GPU.
  int max_tokens = 0;
  // A GPU's: where it is written down which way of computing each product is the fastest, so that
  // the next load need not try and computes the same bits. Empty: nowhere.
  std::string tuning_directory;
  ComputeDType dtype = ComputeDType::kAuto;
  // For tests: a GPU's memory that no step has written holds numbers that must not count.
  bool poison = false;
  // Says what memory the device has while the model is loaded; null: a GPU is asked, and of a CPU
  // nothing is checked, whose memory is taken page by page as it is written.
  std::function<DeviceMemory()> device_memory;
  // Make every check of a load, but read no weight and use no device. The model cannot compute.
  bool check_only = false;
  LayerRange layers;
  TensorSlice tensor;
  // The ranks of `tensor`: required where there are several and the model is to compute.
  std::shared_ptr<TensorGroup> tensor_group;

  int slots() const { return 2 * max_sequences; }
};

// `options` with numbers in the place of zeros, those of the kind of device.
LmOptions ResolveSizes(LmOptions options, bool gpu);

}  // namespace terminus::models::decoder
