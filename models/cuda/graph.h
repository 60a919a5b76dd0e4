#pragma once

#include <cstdint>

#include "models/cuda/cuda_api.h"

// CUDA graphs of what LibTorch and our kernels do, as cuda_api.h says.
namespace terminus::models::cuda {

void* CurrentStream(int device);

int BeginGraph(int device, TerminusCudaGraph* shares, TerminusCudaGraph** graph, char* error,
               uint64_t size);
int EndGraph(TerminusCudaGraph* graph, char* error, uint64_t size);
int ReplayGraph(TerminusCudaGraph* graph, char* error, uint64_t size);
void DestroyGraph(TerminusCudaGraph* graph);

}  // namespace terminus::models::cuda
