#pragma once

#include <cstdint>

// NCCL as libterminus_cuda.so offers it: plain C, in device memory, on a cudaStream_t, never
// blocking. What returns int returns 0 for success, TERMINUS_NCCL_NOT_YET, or an ncclResult_t.
// `bytes` moves elements of any type.
extern "C" {

// Raised with every change of the table; the loader refuses another version.
#define TERMINUS_NCCL_API_VERSION 1
#define TERMINUS_NCCL_ID_BYTES 128
#define TERMINUS_NCCL_NOT_YET (-1)

// Types that are summed.
enum TerminusNcclType { TERMINUS_NCCL_INT32, TERMINUS_NCCL_FLOAT32, TERMINUS_NCCL_BFLOAT16 };

struct TerminusNcclApi {
  int version;
  // What a result means; with a communicator, also what NCCL last said of it. Valid until the
  // calling thread calls again.
  const char* (*error_text)(int result, void* communicator);
  // TERMINUS_NCCL_ID_BYTES of an id that all ranks must share.
  int (*create_id)(void* id);
  // Begins to make a rank on the calling thread's device; `state` says when it is made.
  int (*begin)(int size, const void* id, int rank, void** communicator);
  int (*state)(void* communicator);
  int (*send)(void* communicator, const void* data, uint64_t bytes, int to, void* stream);
  int (*receive)(void* communicator, void* data, uint64_t bytes, int from, void* stream);
  int (*send_receive)(void* communicator, const void* send, uint64_t send_bytes, int to,
                      void* receive, uint64_t receive_bytes, int from, void* stream);
  int (*all_reduce_sum)(void* communicator, void* data, uint64_t count, TerminusNcclType type,
                        void* stream);
  int (*broadcast)(void* communicator, void* data, uint64_t bytes, int root, void* stream);
  // `part` bytes from each into part * size.
  int (*all_gather)(void* communicator, const void* part, void* whole, uint64_t part_bytes,
                    void* stream);
  // Begins to end what is done; `state` says when. Then `destroy` frees it.
  int (*finalize)(void* communicator);
  int (*destroy)(void* communicator);
  // Ends what is under way, and frees it.
  int (*abort)(void* communicator);
};

// Null when the library was built without NCCL.
const TerminusNcclApi* terminus_nccl_api();
}
