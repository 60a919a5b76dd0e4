#pragma once

// Marks functions that run on the host and, where nvcc compiles them, on the device too. Such code
// is C++17 and uses no library function that a device lacks.
#ifdef __CUDACC__
#define TERMINUS_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define TERMINUS_HOST_DEVICE inline
#endif
