#include "models/cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAStream.h>

#include <cstdio>
#include <memory>

struct TerminusCudaGraph {
  explicit TerminusCudaGraph(int device)
      : stream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false,
                                            static_cast<c10::DeviceIndex>(device))),
        before(c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device))) {}

  at::cuda::CUDAGraph graph;
  c10::cuda::CUDAStream stream;  // The default stream cannot be captured.
  c10::cuda::CUDAStream before;  // The thread's current one until EndGraph.
};

namespace terminus::models::cuda {
namespace {

// Runs `body`; what it throws becomes -1 and its text.
template <class Body>
int Guarded(char* error, uint64_t size, const Body& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& thrown) {
    std::snprintf(error, size, "%s", thrown.what());
    return -1;
  }
}

}  // namespace

void* CurrentStream(int device) {
  char ignored[1];
  void* stream = nullptr;
  Guarded(ignored, sizeof(ignored), [&] {
    stream = c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).stream();
  });
  return stream;
}

int BeginGraph(int device, TerminusCudaGraph* shares, TerminusCudaGraph** graph, char* error,
               uint64_t size) {
  return Guarded(error, size, [&] {
    auto made = std::make_unique<TerminusCudaGraph>(device);
    made->before.synchronize();
    c10::cuda::setCurrentCUDAStream(made->stream);
    try {
      // Other threads may allocate and copy meanwhile: only what this one does must be capturable.
      made->graph.capture_begin(
          shares == nullptr ? at::cuda::MempoolId_t{0, 0} : shares->graph.pool(),
          cudaStreamCaptureModeThreadLocal);
    } catch (...) {
      c10::cuda::setCurrentCUDAStream(made->before);
      throw;
    }
    *graph = made.release();
  });
}

int EndGraph(TerminusCudaGraph* graph, char* error, uint64_t size) {
  return Guarded(error, size, [&] {
    const auto restore = [graph] { c10::cuda::setCurrentCUDAStream(graph->before); };
    try {
      graph->graph.capture_end();
    } catch (...) {
      restore();
      throw;
    }
    restore();
  });
}

int ReplayGraph(TerminusCudaGraph* graph, char* error, uint64_t size) {
  return Guarded(error, size, [&] { graph->graph.replay(); });
}

void DestroyGraph(TerminusCudaGraph* graph) { delete graph; }

}  // namespace terminus::models::cuda
