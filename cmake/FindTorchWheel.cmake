# LibTorch as the Python wheel lays it out, without torch's own CMake package (which insists on a
# CUDA toolkit even for a CPU build). Looks in TERMINUS_HOME/venv; TORCH_WHEEL_DIR overrides it.
#
# Defines: torch::cpu   headers, libtorch_cpu and libc10: all that the binaries link.
#          torch::cuda  adds libtorch_cuda and libc10_cuda: for libterminus_cuda.so only.

file(GLOB terminus_torch_guess ${TERMINUS_HOME}/venv/lib/python3*/site-packages/torch)
set(TORCH_WHEEL_DIR "${terminus_torch_guess}" CACHE PATH "The torch folder inside site-packages")

find_path(TORCH_INCLUDE_DIR ATen/ATen.h HINTS ${TORCH_WHEEL_DIR}/include NO_DEFAULT_PATH)
find_library(TORCH_CPU_LIBRARY torch_cpu HINTS ${TORCH_WHEEL_DIR}/lib NO_DEFAULT_PATH)
find_library(TORCH_C10_LIBRARY c10 HINTS ${TORCH_WHEEL_DIR}/lib NO_DEFAULT_PATH)
# The OpenMP that libtorch_cpu itself runs on: two in one process would each keep their own threads.
find_library(TORCH_OPENMP_LIBRARY NAMES libgomp.so.1 HINTS ${TORCH_WHEEL_DIR}/lib NO_DEFAULT_PATH)
find_library(TORCH_CUDA_LIBRARY torch_cuda HINTS ${TORCH_WHEEL_DIR}/lib NO_DEFAULT_PATH)
find_library(TORCH_C10_CUDA_LIBRARY c10_cuda HINTS ${TORCH_WHEEL_DIR}/lib NO_DEFAULT_PATH)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(TorchWheel
  REQUIRED_VARS TORCH_INCLUDE_DIR TORCH_CPU_LIBRARY TORCH_C10_LIBRARY TORCH_OPENMP_LIBRARY
  REASON_FAILURE_MESSAGE "Run scripts/setup first: it installs LibTorch under TERMINUS_HOME.")

if(TorchWheel_FOUND AND NOT TARGET torch::cpu)
  add_library(torch::cpu INTERFACE IMPORTED)
  target_include_directories(torch::cpu SYSTEM INTERFACE
    ${TORCH_INCLUDE_DIR} ${TORCH_INCLUDE_DIR}/torch/csrc/api/include)
  target_link_libraries(torch::cpu INTERFACE
    ${TORCH_CPU_LIBRARY} ${TORCH_C10_LIBRARY} ${TORCH_OPENMP_LIBRARY})
  # at::parallel_for is a template: compiled without OpenMP it calls its function on the caller's
  # thread alone, and says nothing. That is all right for the fuzzers, which clang builds: its OpenMP
  # wants another runtime than LibTorch's.
  target_compile_options(torch::cpu INTERFACE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fopenmp>)
  # libtorch_cpu finds cudart and cupti through its own RPATH; the linker need not.
  target_link_options(torch::cpu INTERFACE -Wl,--allow-shlib-undefined)
  add_library(torch::cuda INTERFACE IMPORTED)
  target_link_libraries(torch::cuda INTERFACE torch::cpu ${TORCH_CUDA_LIBRARY} ${TORCH_C10_CUDA_LIBRARY})
endif()
