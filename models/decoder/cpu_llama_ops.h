#pragma once

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "models/decoder/cpu_llama.h"
#include "models/kernels/paged/paged_attention.h"
#include "models/kernels/panels/panel_gemm.h"

namespace terminus::models::decoder {

// One step's operations as one thread of the team makes them: see LlamaOps. All threads make the
// same calls. Nothing is computed any more once the tensor group has failed.
class CpuLlama::Ops {
 public:
  using VectorNorm = std::vector<float>;

  Ops(CpuLlama& lm, Member& member, const Step& step) : lm_(lm), member_(member), step_(step) {}

  // x, and the angles, which all layers share.
  void Embed();

  void Norm(const VectorNorm& norm);
  void ProjectQkv(const CpuProduct& product) { Project(product, step_.normed, step_.qkv); }
  void PrepareHeads(const HeadSteps<VectorNorm>& steps, int layer);
  void Attend(const LayerAttention& attention, int layer);
  void AddAttended(const CpuProduct& product, const VectorNorm& norm);
  void ProjectGated(const CpuProduct& product) { Project(product, step_.normed, step_.inner); }
  void AddInner(const CpuProduct& product, const VectorNorm* next);

  // The logits of all ranks.
  void Head();

 private:
  void ForEach(int64_t count, int64_t grain, absl::FunctionRef<void(int64_t, int64_t)> body);
  // A whole product, shared out over the team.
  void Multiply(const kernels::PanelGemmArgs& args);
  void Project(const CpuProduct& product, const float* x, float* y);
  // Onto the residual stream, over all ranks.
  void Add(const CpuProduct& product, const float* x);
  // The hidden state [hidden] with which a token enters the stage. Of a first stage: this rank's
  // part of the sum over all ranks.
  void EmbedToken(int64_t token, float* x) const;
  void PrepareToken(const HeadSteps<VectorNorm>& steps, const kernels::KvPages& kv, float* qkv,
                    int64_t token) const;

  CpuLlama& lm_;
  Member& member_;
  const Step& step_;
};

}  // namespace terminus::models::decoder
