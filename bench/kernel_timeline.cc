// Writes down when the GPU ran which kernel, of any process that CUDA is asked to load this library
// into:
//
//     CUDA_INJECTION64_PATH=libkernel_timeline.so KERNEL_TIMELINE=FILE COMMAND
//
// FILE gets a line "begin end name" for each kernel and each copy, in nanoseconds of CUPTI's clock,
// when the process ends. Kernels of a CUDA graph are written one by one. bench/idle_share.py reads
// the file.
#include <cupti.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>

namespace {

constexpr size_t kBufferBytes = size_t{8} << 20;
constexpr size_t kAlignment = 8;

std::FILE* file = nullptr;

void CUPTIAPI GiveBuffer(uint8_t** buffer, size_t* bytes, size_t* max_records) {
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(kAlignment, kBufferBytes));
  *bytes = *buffer == nullptr ? 0 : kBufferBytes;
  *max_records = 0;
}

void Write(uint64_t begin, uint64_t end, const char* name) {
  std::fprintf(file, "%llu %llu %s\n", static_cast<unsigned long long>(begin),
               static_cast<unsigned long long>(end), name);
}

void CUPTIAPI TakeBuffer(CUcontext /*context*/, uint32_t /*stream*/, uint8_t* buffer,
                         size_t /*bytes*/, size_t used) {
  CUpti_Activity* record = nullptr;
  while (cuptiActivityGetNextRecord(buffer, used, &record) == CUPTI_SUCCESS) {
    switch (record->kind) {
      case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: {
        const auto* kernel = reinterpret_cast<const CUpti_ActivityKernel10*>(record);
        Write(kernel->start, kernel->end, kernel->name);
        break;
      }
      case CUPTI_ACTIVITY_KIND_MEMCPY: {
        const auto* copy = reinterpret_cast<const CUpti_ActivityMemcpy6*>(record);
        Write(copy->start, copy->end, "copy");
        break;
      }
      case CUPTI_ACTIVITY_KIND_MEMSET: {
        const auto* set = reinterpret_cast<const CUpti_ActivityMemset4*>(record);
        Write(set->start, set->end, "set");
        break;
      }
      default:
        break;
    }
  }
  std::free(buffer);
}

void Finish() {
  cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  std::fclose(file);
}

}  // namespace

// Called by CUDA before the process's first call of it. Returns 1: loaded.
extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
  const char* path = std::getenv("KERNEL_TIMELINE");
  file = path == nullptr ? nullptr : std::fopen(path, "w");
  if (file == nullptr) {
    std::fputs("kernel_timeline: KERNEL_TIMELINE names no file that can be written\n", stderr);
    return 0;
  }
  cuptiActivityRegisterCallbacks(GiveBuffer, TakeBuffer);
  for (const CUpti_ActivityKind kind : {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                                        CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMSET}) {
    if (cuptiActivityEnable(kind) != CUPTI_SUCCESS) {
      std::fputs("kernel_timeline: CUPTI gives no activity\n", stderr);
      return 0;
    }
  }
  std::atexit(Finish);
  return 1;
}
