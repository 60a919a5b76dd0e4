#pragma once

#include <cstdint>

// Devices, memory and streams, as libterminus_cuda.so offers them: plain C, so that whoever loads
// it needs no CUDA header. What returns int returns a cudaError_t, 0 for success, unless said
// otherwise. Calls act on the calling thread's device.
extern "C" {

// Raised with every change of the table; the loader refuses another version.
#define TERMINUS_GPU_API_VERSION 2

struct TerminusGpuApi {
  int version;
  const char* (*error_text)(int error);
  // GPUs that can be used. On failure -1, and why in `error` (host, `size` bytes).
  int (*device_count)(char* error, uint64_t size);
  // Its name into `name` (host, `size` bytes); returns its memory in bytes, 0 on failure.
  uint64_t (*describe_device)(int device, char* name, uint64_t size);
  // The calling thread's, from now on.
  int (*set_device)(int device);

  int (*allocate)(uint64_t bytes, void** memory);
  int (*release)(void* memory);
  // Pinned memory of the host, which copies read and write without the processor's help. It is
  // released when no copy uses it any more.
  int (*allocate_host)(uint64_t bytes, void** memory);
  int (*release_host)(void* memory);
  // Between any two of host and device, in the stream's order.
  int (*copy)(void* to, const void* from, uint64_t bytes, void* stream);

  int (*create_stream)(void** stream);
  int (*destroy_stream)(void* stream);
  // Returns when the stream has done all that was put into it so far.
  int (*wait_stream)(void* stream);

  int (*create_event)(void** event);
  int (*destroy_event)(void* event);
  // The event happens when the stream has done all that was put into it so far.
  int (*record_event)(void* event, void* stream);
  // 0 when it has happened, -1 when not yet, else a cudaError_t.
  int (*query_event)(void* event);
  // Returns when it has happened; at once if it was never recorded.
  int (*wait_event)(void* event);
};

const TerminusGpuApi* terminus_gpu_api();
}
