#include "models/decoder/cuda/products.h"

#include <cublasLt.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <system_error>

#include "models/cuda/cublaslt.h"
#include "models/cuda/elementwise.h"
#include "models/cuda/hopper.h"
#include "models/decoder/cuda/few_rows.h"
#include "models/decoder/cuda/gated_product.h"
#include "models/decoder/cuda/tensor_map.h"

namespace terminus::models::decoder::cuda {
namespace {

// Raised with every change of the kernels that may change which is the fastest, or their results.
constexpr int kKernelVersion = 1;
// Each candidate is run a few times; the fastest of these are run more often, over several weights
// and by turns, so that what else happens on the device meets all of them. The best of the turns
// counts.
constexpr size_t kFirstTrials = 3;
constexpr size_t kFinalists = 6;
constexpr size_t kFinalTrials = 8;
constexpr int kFewTurns = 2;
constexpr int kManyTurns = 8;
// Products of so many rows are short, and so are many turns of them.
constexpr int kShortRows = 128;
// The launch of one run takes so long on a slow CPU.
constexpr int kLaunchMicroseconds = 25;
constexpr float kFailed = std::numeric_limits<float>::infinity();

static_assert(sizeof(cublasLtMatmulAlgo_t) == sizeof(ProductChoice::algorithm));

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

TerminusCudaMatmul MatmulOf(const Linear& linear, const Bf16* x, void* y, int64_t rows,
                            ProductOutput output) {
  TerminusCudaMatmul args = {};
  args.x = x;
  args.weight = linear.weight;
  args.bias = linear.bias;
  args.residual = output == ProductOutput::kAdd ? y : nullptr;
  args.y = y;
  args.rows = rows;
  args.in = linear.in;
  args.out = linear.out;
  args.float_y = output == ProductOutput::kFloat;
  return args;
}

std::string OriginOf(int device) {
  cudaDeviceProp properties;
  Check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return std::string(properties.name) + ", cuBLASLt " + std::to_string(cublasLtGetVersion()) +
         ", kernels " + std::to_string(kKernelVersion);
}

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
  int device = 0;
  Check(cudaGetDevice(&device), "cudaGetDevice");
  Check(cudaDeviceGetAttribute(&multiprocessors_, cudaDevAttrMultiProcessorCount, device),
        "cudaDeviceGetAttribute");
  origin_ = OriginOf(device);
  if (!is_hopper_) {
    return;
  }
  partial_ = AllocateDevice<float>(static_cast<size_t>(multiprocessors_) * kStreamPartial);
  ready_ = AllocateDevice<int32_t>(multiprocessors_);
  Check(cudaMemset(ready_.get(), 0, multiprocessors_ * sizeof(int32_t)), "cudaMemset");
}

std::filesystem::path Products::FileIn(const std::string& directory) const {
  std::string name = "products " + origin_ + ".txt";
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '.'; },
      '_');
  return std::filesystem::path(directory) / name;
}

void Products::Load(const std::string& directory) {
  std::ifstream file(FileIn(directory), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (auto table = ProductTable::Read(text, origin_)) {
    table_ = *std::move(table);
  }
}

void Products::Save(const std::string& directory) const {
  if (!tried_) {
    return;
  }
  const std::filesystem::path path = FileIn(directory);
  // Under a name of this process first: other processes see all of the file or nothing.
  const std::string unfinished = path.string() + "." + std::to_string(getpid());
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  {
    std::ofstream file(unfinished, std::ios::binary);
    file << table_.Write(origin_);
    if (!file.flush()) {
      std::filesystem::remove(unfinished, error);
      return;
    }
  }
  std::filesystem::rename(unfinished, path, error);
}

int Products::BucketOf(const Linear& linear, ProductOutput output, int64_t rows) const {
  const auto tuned = tuned_rows_.find({output, linear.in, linear.out});
  const int most = tuned == tuned_rows_.end() ? 0 : tuned->second;
  if (rows > most) {
    throw std::runtime_error("a product of " + std::to_string(rows) + " rows, of which " +
                             std::to_string(most) + " were tuned");
  }
  return std::min(ProductBucket(static_cast<int>(rows)), most);
}

void Products::ComputeByCublas(const ProductChoice& choice, const Linear& linear, const Bf16* x,
                               void* y, int64_t rows, ProductOutput output,
                               cudaStream_t stream) const {
  const bool gated = output == ProductOutput::kGated;
  TerminusCudaMatmul args = MatmulOf(linear, x, gated ? gates_.get() : y, rows, output);
  args.workspace = workspace_.get();
  const models::cuda::LtProblem problem(args);
  cublasLtMatmulAlgo_t algorithm;
  std::memcpy(&algorithm, choice.algorithm.data(), sizeof(algorithm));
  cudaError_t error = problem.Run(args, algorithm, stream);
  if (error == cudaErrorNotSupported) {
    // The bucket's choice may not take fewer rows.
    if (const auto candidates = problem.Candidates(); !candidates.empty()) {
      error = problem.Run(args, candidates.front(), stream);
    }
  }
  Check(error, "product");
  if (gated) {
    Check(LaunchSiluMul(gates_.get(), static_cast<Bf16*>(y), rows, linear.out / 2, stream), "silu");
  }
}

void Products::ComputeByStream(const Linear& linear, const Bf16* x, void* y, int64_t rows,
                               ProductOutput output, cudaStream_t stream) const {
  auto weight = stream_weights_.find(linear.weight);
  if (weight == stream_weights_.end()) {
    const bool gated = output == ProductOutput::kGated;
    weight =
        stream_weights_
            .emplace(linear.weight, MapStreamWeight(linear.weight, linear.out, linear.in, gated))
            .first;
  }
  Check(LaunchStreamProduct(
            weight->second,
            FindMap(inputs_, x, max_rows_, linear.in, StreamBoxRows(static_cast<int>(rows))),
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

void Products::ComputeGated(int width, const Linear& linear, const Bf16* x, void* y, int64_t rows,
                            cudaStream_t stream) const {
  Check(LaunchGatedProduct(FindMap(weights_, linear.weight, linear.out, linear.in, width / 2),
                           FindMap(inputs_, x, max_rows_, linear.in, kGatedRows),
                           {.bias = linear.bias,
                            .y = static_cast<Bf16*>(y),
                            .rows = static_cast<int>(rows),
                            .in = static_cast<int>(linear.in),
                            .out = static_cast<int>(linear.out)},
                           width, multiprocessors_, stream),
        "gated product");
}

const CUtensorMap& Products::FindMap(Maps& maps, const Bf16* data, int64_t rows, int64_t columns,
                                     int box_rows) {
  auto map = maps.find({data, box_rows});
  if (map == maps.end()) {
    map = maps.emplace(std::pair(data, box_rows), MapMatrix(data, rows, columns, box_rows)).first;
  }
  return map->second;
}

void Products::Compute(const ProductChoice& choice, const Linear& linear, const Bf16* x, void* y,
                       int64_t rows, ProductOutput output, cudaStream_t stream) const {
  switch (choice.method) {
    case ProductMethod::kCublas:
      ComputeByCublas(choice, linear, x, y, rows, output, stream);
      return;
    case ProductMethod::kStream:
      ComputeByStream(linear, x, y, rows, output, stream);
      return;
    case ProductMethod::kGated:
      ComputeGated(choice.width, linear, x, y, rows, stream);
      return;
    case ProductMethod::kFewRows:
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

std::vector<ProductChoice> Products::Candidates(const Linear& linear, const Bf16* x, void* y,
                                                int rows, ProductOutput output) const {
  std::vector<ProductChoice> candidates;
  if (is_hopper_ && rows <= kStreamRows) {
    candidates.push_back({.method = ProductMethod::kStream});
  }
  if (rows <= kFewRows) {
    candidates.push_back({.method = ProductMethod::kFewRows});
  }
  if (is_hopper_ && output == ProductOutput::kGated && rows > kGatedRows) {
    for (const int width : kGatedWidths) {
      candidates.push_back({.method = ProductMethod::kGated, .width = width});
    }
  }
  const models::cuda::LtProblem problem(MatmulOf(linear, x, y, rows, output));
  for (const cublasLtMatmulAlgo_t& algorithm : problem.Candidates()) {
    ProductChoice& choice = candidates.emplace_back();
    std::memcpy(choice.algorithm.data(), &algorithm, sizeof(algorithm));
  }
  return candidates;
}

float Products::Time(const ProductChoice& choice, const std::vector<Linear>& linears, size_t count,
                     const Bf16* x, void* y, int rows, ProductOutput output,
                     cudaStream_t stream) const {
  Timer timer;
  try {
    Compute(choice, linears.back(), x, y, rows, output, stream);
    // The device is kept busy until all are in the stream: small products take the CPU longer to
    // launch than the device to compute.
    models::cuda::LaunchDelay(kLaunchMicroseconds * static_cast<int>(count), stream);
    timer.Begin(stream);
    for (size_t i = 0; i < count; ++i) {
      Compute(choice, linears[i % linears.size()], x, y, rows, output, stream);
    }
    return timer.End(stream) / static_cast<float>(count);
  } catch (const CudaError&) {
    return kFailed;
  }
}

ProductChoice Products::FindFastest(const std::vector<Linear>& linears, const Bf16* x, void* y,
                                    int rows, ProductOutput output, cudaStream_t stream) const {
  std::vector<std::pair<float, ProductChoice>> timed;
  for (const ProductChoice& choice : Candidates(linears.front(), x, y, rows, output)) {
    timed.emplace_back(
        Time(choice, linears, rows <= kShortRows ? kFirstTrials : 1, x, y, rows, output, stream),
        choice);
  }
  const auto faster = [](const auto& a, const auto& b) { return a.first < b.first; };
  std::stable_sort(timed.begin(), timed.end(), faster);
  timed.resize(std::min(timed.size(), kFinalists));
  for (auto& [milliseconds, choice] : timed) {
    milliseconds = kFailed;
  }
  for (int turn = 0; turn < (rows <= kShortRows ? kManyTurns : kFewTurns); ++turn) {
    for (auto& [milliseconds, choice] : timed) {
      milliseconds =
          std::min(milliseconds, Time(choice, linears, kFinalTrials, x, y, rows, output, stream));
    }
  }
  const auto best = std::min_element(timed.begin(), timed.end(), faster);
  if (best == timed.end() || best->first == kFailed) {
    throw std::runtime_error("no way to compute a product of " + std::to_string(rows) + " x " +
                             std::to_string(linears.front().in) + " by " +
                             std::to_string(linears.front().out));
  }
  return best->second;
}

void Products::Tune(const std::vector<Linear>& linears, const Bf16* x, void* y,
                    ProductOutput output, int max_rows, cudaStream_t stream) {
  const Linear& linear = linears.front();
  tuned_rows_[{output, linear.in, linear.out}] = max_rows;
  for (int rows = 1; rows <= max_rows; rows = ProductBucket(rows) + 1) {
    const int bucket = BucketOf(linear, output, rows);
    const ProductKey key = {output, linear.bias != nullptr, linear.in, linear.out, bucket};
    if (table_.Find(key) == nullptr) {
      table_.Keep(key, FindFastest(linears, x, y, bucket, output, stream));
      tried_ = true;
    }
  }
}

void Products::Run(const Linear& linear, const Bf16* x, void* y, int64_t rows, ProductOutput output,
                   cudaStream_t stream) const {
  const ProductKey key = {output, linear.bias != nullptr, linear.in, linear.out,
                          BucketOf(linear, output, rows)};
  Compute(*table_.Find(key), linear, x, y, rows, output, stream);
}

}  // namespace terminus::models::decoder::cuda
