#pragma once

#include <cstdint>

// The kernels that libterminus_cuda.so offers to models, as plain C: a table of functions that the
// loader asks for by one name. Pointers to data are device pointers unless they say host.
extern "C" {

// Raised with every change of the table; the loader refuses another version.
#define TERMINUS_CUDA_API_VERSION 5

// Where a kernel's result goes: as bfloat16 to `bf16`, or, for a product in FP8 behind it, as E4M3
// of the value times `scale`, at most 448 in size, to `fp8`. One of the two is null.
struct TerminusCudaOutput {
  void* bf16;
  void* fp8;
  float scale;
};

enum TerminusCudaActivation {
  TERMINUS_CUDA_NONE = 0,
  TERMINUS_CUDA_QUICK_GELU = 1,  // x · σ(1.702 x)
  TERMINUS_CUDA_GELU = 2,        // x · Φ(x)
  TERMINUS_CUDA_GELU_TANH = 3,   // Its approximation with tanh.
  TERMINUS_CUDA_RELU = 4,
};

// Softmax attention within each of several sequences that lie one behind the other, in bfloat16
// with float32 sums; heads of 64. A sequence's keys and values stay in shared memory, which is what
// short ones want: those of image patches and of captions.
struct TerminusCudaAttention {
  const void* qkv;         // [tokens, 3 · heads · 64]: queries, keys, values; heads inside each.
  TerminusCudaOutput out;  // [tokens, heads · 64]
  const int32_t* offsets;  // [sequences + 1] on the device, or null: each is `max_length` long.
  int sequences;
  int max_length;  // Of any sequence.
  int heads;
  bool causal;
};

// y = activation(x · weightᵀ + bias + residual), with sums in float32. Rows lie one behind the
// other. In FP8 x and weight are E4M3, and what they stand for is that times their scales; all else
// is bfloat16.
struct TerminusCudaMatmul {
  const void* x;         // [rows, in]
  const void* weight;    // [out, in]
  const void* bias;      // [out], or null.
  const void* residual;  // [rows, out], or null; may be y.
  void* y;               // [rows, out]
  int64_t rows;
  int64_t in;
  int64_t out;
  bool fp8;
  const float* x_scale;  // FP8 only: one on the device.
  const float* weight_scale;
  TerminusCudaActivation activation;
  // y is float32; not beside a bias, a residual, an activation or FP8.
  bool float_y;
  // 0, or a number of rows whose choice of an algorithm this product takes too, not below `rows`:
  // then ever new numbers of rows need no trials.
  int64_t tuned_rows;
  // Of the caller's, TERMINUS_CUDA_WORKSPACE_BYTES, its own until the product is done.
  void* workspace;
};
#define TERMINUS_CUDA_WORKSPACE_BYTES (32 << 20)

// What a stream was given to do between graph_begin and graph_end, to be done again and again.
typedef struct TerminusCudaGraph TerminusCudaGraph;

// Images cut into squares of `side` pixels, whatever does not fill one at the end left out: a row
// for each, from left to right and top to bottom, of three planes [side, side], each value times
// scale[colour] plus shift[colour], and zeros up to `row` values. Squares of one pixel are the
// image itself, [height, width, 3].
struct TerminusCudaPatches {
  const uint8_t* pixels;  // [count, height, width, 3]
  void* out;              // [count, height / side, width / side, row] bfloat16
  int64_t count;
  int height;
  int width;
  float scale[3];
  float shift[3];
  int side;
  int row;  // At least 3 · side²; a multiple of 2, but for squares of one pixel.
};

struct TerminusCudaApi {
  int version;
  // Streams are cudaStream_t. What works on data returns a cudaError_t.
  int (*patches)(const TerminusCudaPatches* args, void* stream);
  // The three below take bfloat16.
  // x [rows, width] → (x − mean) / √(variance + eps) · weight + bias, a row by itself. `width` is a
  // multiple of 8, at most 2,048.
  int (*layer_norm)(const void* x, const void* weight, const void* bias, int64_t rows, int width,
                    float eps, const TerminusCudaOutput* out, void* stream);
  // `count` values, a multiple of 8; x and out->bf16 may be the same.
  int (*activation)(const void* x, int64_t count, TerminusCudaActivation activation,
                    const TerminusCudaOutput* out, void* stream);
  // cudaErrorInvalidValue where sequences are too long for the device's shared memory: on an H100
  // beyond 864 tokens.
  int (*attention)(const TerminusCudaAttention* args, void* stream);
  // By cuBLASLt or, where that has no such activation, by it and a pass or a product of our own.
  // The first call of a shape tries what there is and keeps the fastest for the process, unless the
  // stream is being captured or 4,096 shapes are kept: then it takes the heuristic's first. Returns
  // a cudaError_t; cudaErrorNotSupported where there is none, such as for sizes that are no
  // multiple of 8 (16 in FP8).
  int (*matmul)(const TerminusCudaMatmul* args, void* stream);

  // LibTorch's: what its operators are put into on this thread. Null for a device that has none.
  void* (*current_stream)(int device);
  // Until graph_end, what this thread gives LibTorch's current stream of the device is recorded,
  // not done; one graph at a time. What LibTorch allocates meanwhile is kept with the graph and, if
  // `shares` is another graph, may be memory of that one: the two must not run at once. 0, or -1
  // and why in `error` (host, `size` bytes).
  int (*graph_begin)(int device, TerminusCudaGraph* shares, TerminusCudaGraph** graph, char* error,
                     uint64_t size);
  int (*graph_end)(TerminusCudaGraph* graph, char* error, uint64_t size);
  // Into LibTorch's current stream.
  int (*graph_replay)(TerminusCudaGraph* graph, char* error, uint64_t size);
  void (*graph_destroy)(TerminusCudaGraph* graph);
};

const TerminusCudaApi* terminus_cuda_api();
}
