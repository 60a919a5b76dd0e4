#include "models/decoder/cuda/products.h"

#include <algorithm>
#include <cstdlib>

#include "models/cuda/hopper.h"
#include "models/cuda/matmul.h"
#include "models/decoder/cuda/few_rows.h"

namespace terminus::models::decoder::cuda {
namespace {

void RunFewRows(const Linear& linear, const Bf16* x, void* y, int64_t rows, FewRowsOutput output,
                cudaStream_t stream) {
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

}  // namespace

int ProductBucket(int rows) {
  for (const auto& [limit, step] : {std::pair(8, 0), std::pair(64, 8), std::pair(128, 16),
                                    std::pair(256, 32), std::pair(512, 64), std::pair(1024, 128),
                                    std::pair(2048, 256), std::pair(4096, 512)}) {
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

Products::Products(int max_rows)
    : streams_(models::cuda::IsHopper() && std::getenv("NO_STREAM") == nullptr),
      max_rows_(max_rows),
      workspace_(AllocateDevice<uint8_t>(TERMINUS_CUDA_WORKSPACE_BYTES)) {
  if (!streams_) {
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

void Products::Stream(const Linear& linear, const Bf16* x, void* y, int64_t rows,
                      ProductOutput output, cudaStream_t stream) const {
  auto weight = weights_.find(linear.weight);
  if (weight == weights_.end()) {
    const bool gated = output == ProductOutput::kGated;
    weight = weights_
                 .emplace(linear.weight,
                          MapStreamWeight(linear.weight, linear.out, linear.in, gated))
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
        "product of few rows");
}

void Products::Multiply(const Linear& linear, const Bf16* x, void* y, int64_t rows, bool adds,
                        bool float_y, cudaStream_t stream) const {
  TerminusCudaMatmul args = {};
  args.x = x;
  args.weight = linear.weight;
  args.bias = linear.bias;
  args.residual = adds ? y : nullptr;
  args.y = y;
  args.rows = rows;
  args.in = linear.in;
  args.out = linear.out;
  args.float_y = float_y;
  args.tuned_rows = ProductBucket(static_cast<int>(rows));
  args.workspace = workspace_.get();
  Check(models::cuda::Matmul(args, stream), "product");
}

void Products::Tune(const Linear& linear, const Bf16* x, void* y, bool adds, bool float_y,
                    int max_rows, cudaStream_t stream) const {
  for (int rows = streams_ ? kStreamRows + 1 : std::getenv("NO_FEW") ? 1 : kFewRows + 1; rows <= max_rows; rows = ProductBucket(rows) + 1) {
    const int bucket = std::min(ProductBucket(rows), max_rows);
    Multiply(linear, x, y, bucket, adds, float_y, stream);
  }
}

void Products::Run(const Linear& linear, const Bf16* x, Bf16* y, int64_t rows,
                   cudaStream_t stream) const {
  if (Streams(rows)) {
    Stream(linear, x, y, rows, ProductOutput::kBf16, stream);
    return;
  }
  if (rows <= kFewRows && std::getenv("NO_FEW") == nullptr) {
    RunFewRows(linear, x, y, rows, FewRowsOutput::kBf16, stream);
    return;
  }
  Multiply(linear, x, y, rows, /*adds=*/false, /*float_y=*/false, stream);
}

void Products::Add(const Linear& linear, const Bf16* x, Bf16* y, int64_t rows,
                   cudaStream_t stream) const {
  if (Streams(rows)) {
    Stream(linear, x, y, rows, ProductOutput::kAdd, stream);
    return;
  }
  if (rows <= kFewRows && std::getenv("NO_FEW") == nullptr) {
    RunFewRows(linear, x, y, rows, FewRowsOutput::kAdd, stream);
    return;
  }
  Multiply(linear, x, y, rows, /*adds=*/true, /*float_y=*/false, stream);
}

void Products::RunGated(const Linear& linear, const Bf16* x, Bf16* scratch, Bf16* y, int64_t rows,
                        cudaStream_t stream) const {
  if (Streams(rows)) {
    Stream(linear, x, y, rows, ProductOutput::kGated, stream);
    return;
  }
  if (rows <= kFewRows && std::getenv("NO_FEW") == nullptr) {
    RunFewRows(linear, x, y, rows, FewRowsOutput::kGated, stream);
    return;
  }
  Run(linear, x, scratch, rows, stream);
  Check(LaunchSiluMul(scratch, y, rows, linear.out / 2, stream), "silu");
}

void Products::RunFloat(const Linear& linear, const Bf16* x, float* y, int64_t rows,
                        cudaStream_t stream) const {
  if (Streams(rows)) {
    Stream(linear, x, y, rows, ProductOutput::kFloat, stream);
    return;
  }
  if (rows <= kFewRows && std::getenv("NO_FEW") == nullptr) {
    RunFewRows(linear, x, y, rows, FewRowsOutput::kFloat, stream);
    return;
  }
  Multiply(linear, x, y, rows, /*adds=*/false, /*float_y=*/true, stream);
}

}  // namespace terminus::models::decoder::cuda
