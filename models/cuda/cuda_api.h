#pragma once

#include <cstdint>

// The kernels that libterminus_cuda.so offers to models, as plain C: a table of functions that the
// loader asks for by one name. Pointers to data are device pointers unless they say host.
extern "C" {

// Raised with every change of the table; the loader refuses another version.
#define TERMINUS_CUDA_API_VERSION 2

struct TerminusCudaApi {
  int version;
  // uint8 pixels [count, height * width, 3] to bf16 planes [count, 3, height * width], each value
  // times scale[c] plus shift[c] (host arrays of 3), on a cudaStream_t. Returns a cudaError_t.
  int (*normalize_pixels_bf16)(const uint8_t* pixels, int64_t count, int64_t area,
                               const float* scale, const float* shift, void* out, void* stream);
};

const TerminusCudaApi* terminus_cuda_api();
}
