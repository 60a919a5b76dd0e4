#include "models/nn/captured.h"

#include "models/cuda/library.h"

namespace terminus::models::nn {
namespace {

const TerminusCudaApi& Api() {
  const auto library = cuda::LoadLibrary();
  TORCH_CHECK(library.ok(), library.status().ToString());
  return **library;
}

void Check(int error, const char* text) { TORCH_CHECK(error == 0, "CUDA graph: ", text); }

}  // namespace

Captured Captured::Capture(const std::function<at::Tensor()>& function, at::Device device,
                           const Captured* shares) {
  function();
  const TerminusCudaApi& api = Api();
  TerminusCudaGraph* raw = nullptr;
  char error[512] = "";
  Check(api.graph_begin(device.index(), shares == nullptr ? nullptr : shares->graph_.get(), &raw,
                        error, sizeof(error)),
        error);
  Captured captured;
  captured.graph_ = {raw, {&api}};
  try {
    captured.output_ = function();
  } catch (...) {
    api.graph_end(raw, error, sizeof(error));
    throw;
  }
  Check(api.graph_end(raw, error, sizeof(error)), error);
  return captured;
}

const at::Tensor& Captured::Replay() const {
  char error[512] = "";
  Check(Api().graph_replay(graph_.get(), error, sizeof(error)), error);
  return output_;
}

}  // namespace terminus::models::nn
