#include "models/decoder/cuda/products.h"

#include <algorithm>
#include <limits>

#include "models/cuda/hopper.h"
#include "models/cuda/matmul.h"
#include "models/decoder/cuda/few_rows.h"

namespace terminus::models::decoder::cuda {
namespace {

// Of one trial, over all linears.
constexpr int kTrialRounds = 2;

class Timer {
 public:
  Timer() {
    Check(cudaEventCreate(&begin_), "cudaEventCreate");
    Check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Timer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void Begin(cudaStream_t stream) { Check(cudaEventRecord(begin_, stream), "event"); }
  float End(cudaStream_t stream) {
    float milliseconds = 0;
    Check(cudaEventRecord(end_, stream), "event");
    Check(cudaEventSynchronize(end_), "trial of a product");
    Check(cudaEventElapsedTime(&milliseconds, begin_, end_), "event");
    return milliseconds;
  }

 private:
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

}  // namespace

int ProductBucket(int rows) {
  for (const auto& [limit, step] :
       {std::pair(8, 0), std::pair(64, 8), std::pair(128, 16), std::pair(256, 32),
        std::pair(512, 64), std::pair(1024, 128), std::pair(2048, 256), std::pair(4096, 512)}) {
    if (rows > limit) {
      continue;
    }
    if (step > 0) {
      return (rows + step - 1) / step * step;
    }
    int power = 1;
    while (power < rows) {
      power *= 2;
    }
    return power;
  }
  return (rows + 1023) / 1024 * 1024;
}

Products::Products(int max_rows, int64_t max_inner)
    : is_hopper_(models::cuda::IsHopper()),
      max_rows_(max_rows),
      workspace_(AllocateDevice<uint8_t>(TERMINUS_CUDA_WORKSPACE_BYTES)),
      gates_(AllocateDevice<Bf16>(static_cast<size_t>(max_rows) * 2 * max_inner)) {
  if (!is_hopper_) {
    return;
  }
  int device = 0;
  Check(cudaGetDevice(&device), "cudaGetDevice");
  Check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device),
        "cudaDeviceGetAttribute");
  partial_ = AllocateDevice<float>(static_cast<size_t>(multiprocessors_) * kStreamPartial);
  ready_ = AllocateDevice<int32_t>(multiprocessors_);
  Check(cudaMemset(ready_.get(), 0, multiprocessors_ * sizeof(int32_t)), "cudaMemset");
}

bool Products::Takes(Method method, int rows) const {
  switch (method) {
    case Method::kCublas:
      return true;
    case Method::kStream:
      return is_hopper_ && rows <= kStreamRows;
    case Method::kFewRows:
      return rows <= kFewRows;
  }
  return false;
}

void Products::ComputeByCublas(const Linear& linear, const Bf16* x, void* y, int64_t rows,
                               ProductOutput output, cudaStream_t stream) const {
  const bool gated = output == ProductOutput::kGated;
  TerminusCudaMatmul args = {};
  args.x = x;
  args.weight = linear.weight;
  args.bias = linear.bias;
  args.residual = output == ProductOutput::kAdd ? y : nullptr;
  args.y = gated ? gates_.get() : y;
  args.rows = rows;
  args.in = linear.in;
  args.out = linear.out;
  args.float_y = output == ProductOutput::kFloat;
  args.tuned_rows = std::min(ProductBucket(static_cast<int>(rows)), max_rows_);
  args.workspace = workspace_.get();
  Check(models::cuda::Matmul(args, stream), "product");
  if (gated) {
    Check(LaunchSiluMul(gates_.get(), static_cast<Bf16*>(y), rows, linear.out / 2, stream), "silu");
  }
}

void Products::ComputeByStream(const Linear& linear, const Bf16* x, void* y, int64_t rows,
                               ProductOutput output, cudaStream_t stream) const {
  auto weight = weights_.find(linear.weight);
  if (weight == weights_.end()) {
    const bool gated = output == ProductOutput::kGated;
    weight =
        weights_
            .emplace(linear.weight, MapStreamWeight(linear.weight, linear.out, linear.in, gated))
            .first;
  }
  const int box = StreamBoxRows(static_cast<int>(rows));
  auto input = inputs_.find({x, box});
  if (input == inputs_.end()) {
    input = inputs_.emplace(std::pair(x, box), MapStreamX(x, max_rows_, linear.in, box)).first;
  }
  Check(LaunchStreamProduct(weight->second, input->second,
                            {.bias = linear.bias,
                             .y = y,
                             .rows = static_cast<int>(rows),
                             .in = static_cast<int>(linear.in),
                             .out = static_cast<int>(linear.out),
                             .output = output,
                             .partial = partial_.get(),
                             .ready = ready_.get()},
                            multiprocessors_, stream),
        "streamed product");
}

void Products::Compute(Method method, const Linear& linear, const Bf16* x, void* y, int64_t rows,
                       ProductOutput output, cudaStream_t stream) const {
  switch (method) {
    case Method::kCublas:
      ComputeByCublas(linear, x, y, rows, output, stream);
      return;
    case Method::kStream:
      ComputeByStream(linear, x, y, rows, output, stream);
      return;
    case Method::kFewRows:
      Check(LaunchFewRows({.x = x,
                           .weight = linear.weight,
                           .bias = linear.bias,
                           .y = y,
                           .rows = static_cast<int>(rows),
                           .in = static_cast<int>(linear.in),
                           .out = static_cast<int>(linear.out),
                           .output = output},
                          stream),
            "product of few rows");
  }
}

float Products::Time(Method method, const std::vector<Linear>& linears, const Bf16* x, void* y,
                     int rows, ProductOutput output, cudaStream_t stream) const {
  Timer timer;
  Compute(method, linears.front(), x, y, rows, output, stream);
  timer.Begin(stream);
  for (int round = 0; round < kTrialRounds; ++round) {
    for (const Linear& linear : linears) {
      Compute(method, linear, x, y, rows, output, stream);
    }
  }
  return timer.End(stream);
}

void Products::Tune(const std::vector<Linear>& linears, const Bf16* x, void* y,
                    ProductOutput output, int max_rows, cudaStream_t stream) {
  for (int rows = 1; rows <= max_rows; rows = ProductBucket(rows) + 1) {
    const int bucket = std::min(ProductBucket(rows), max_rows);
    float best = std::numeric_limits<float>::infinity();
    Method fastest = Method::kCublas;
    for (const Method method : {Method::kCublas, Method::kStream, Method::kFewRows}) {
      if (!Takes(method, bucket)) {
        continue;
      }
      // Alone, it needs no trial but that of cuBLASLt's algorithms, which its first run makes.
      if (!Takes(Method::kStream, bucket) && !Takes(Method::kFewRows, bucket)) {
        Compute(method, linears.front(), x, y, bucket, output, stream);
        break;
      }
      const float time = Time(method, linears, x, y, bucket, output, stream);
      if (time < best) {
        best = time;
        fastest = method;
      }
    }
    methods_[{output, linears.front().in, linears.front().out, bucket}] = fastest;
  }
}

void Products::Run(const Linear& linear, const Bf16* x, void* y, int64_t rows, ProductOutput output,
                   cudaStream_t stream) const {
  const int bucket = std::min(ProductBucket(static_cast<int>(rows)), max_rows_);
  const auto method = methods_.find({output, linear.in, linear.out, bucket});
  Compute(method == methods_.end() ? Method::kCublas : method->second, linear, x, y, rows, output,
          stream);
}

}  // namespace terminus::models::decoder::cuda
