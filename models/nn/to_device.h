#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace terminus::models::nn {

// A tensor of its own, [values.size()], on the device. To a GPU the copy goes by pinned memory, in
// the order of LibTorch's current stream: neither side waits for the other.
template <class T>
at::Tensor ToDevice(const std::vector<T>& values, at::Device device) {
  at::Tensor host = at::empty({static_cast<int64_t>(values.size())},
                              at::TensorOptions()
                                  .dtype(c10::CppTypeToScalarType<T>::value)
                                  .pinned_memory(device.is_cuda()));
  std::copy(values.begin(), values.end(), host.mutable_data_ptr<T>());
  return host.to(device, /*non_blocking=*/true);
}

}  // namespace terminus::models::nn
