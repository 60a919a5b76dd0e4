#include <cuda_bf16.h>

#include "models/cuda/patches.h"

namespace terminus::models::cuda {
namespace {

constexpr int kThreads = 256;

// A thread an element of the result, a row of blocks an image.
__global__ void Patches(TerminusCudaPatches args, int columns, int elements) {
  const int element = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (element >= elements) {
    return;
  }
  const int patch = element / args.row;
  const int inside = element % args.row;
  const int area = args.side * args.side;
  float value = 0;
  if (inside < 3 * area) {
    const int colour = inside / area;
    const int y = patch / columns * args.side + inside % area / args.side;
    const int x = patch % columns * args.side + inside % args.side;
    const int64_t image = static_cast<int64_t>(blockIdx.y) * args.height * args.width;
    const uint8_t byte = args.pixels[(image + int64_t{y} * args.width + x) * 3 + colour];
    value = byte * args.scale[colour] + args.shift[colour];
  }
  static_cast<__nv_bfloat16*>(args.out)[int64_t{blockIdx.y} * elements + element] =
      __float2bfloat16(value);
}

}  // namespace

cudaError_t LaunchPatches(const TerminusCudaPatches& args, cudaStream_t stream) {
  constexpr int64_t kMaxGridY = 65535;
  constexpr int64_t kMaxElements = int64_t{1} << 30;
  if (args.side < 1 || args.row < 3 * args.side * args.side || args.count > kMaxGridY) {
    return cudaErrorInvalidValue;
  }
  const int columns = args.width / args.side;
  const int64_t elements = int64_t{args.height / args.side} * columns * args.row;
  if (elements > kMaxElements) {
    return cudaErrorInvalidValue;
  }
  if (args.count == 0 || elements == 0) {
    return cudaSuccess;
  }
  const dim3 grid(static_cast<unsigned>((elements + kThreads - 1) / kThreads),
                  static_cast<unsigned>(args.count));
  Patches<<<grid, kThreads, 0, stream>>>(args, columns, static_cast<int>(elements));
  return cudaGetLastError();
}

}  // namespace terminus::models::cuda
