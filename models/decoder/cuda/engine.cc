#include "models/decoder/cuda/engine.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

namespace terminus::models::decoder::cuda {

LayerOps::Step Engine::MakeStep(const StepShape& shape, const StepCapacity& capacity) const {
  return {.shape = shape,
          .capacity = capacity,
          .item_capacity = ItemCapacity(inputs_->limits(),
                                        std::min(capacity.tokens, inputs_->limits().max_sequences)),
          .inputs = inputs_->OnDevice(capacity),
          .schedules = {},
          .soft = nullptr,
          .parity = 0};
}

void Engine::Launch(const LayerOps::Step& step, bool all_logits) {
  const cudaStream_t stream = stream_.get();
  const int tokens = step.capacity.tokens;
  Check(LaunchEmbed({.table = embedding_,
                     .token_ids = step.inputs.token_ids,
                     .slots = step.inputs.slots,
                     .last_tokens = sampler_->last_tokens(),
                     .x = activations_.x.get(),
                     .tokens = tokens,
                     .hidden = config_.hidden_size},
                    stream),
        "embedding");
  if (step.soft != nullptr) {
    CopySoft(*step.soft, step.parity);
  }
  LayerOps ops(context_, step, stream);
  RunLlamaLayers<NormWeight, Linear>(config_, /*first_layer=*/0, layers_, ops);
  const int rows = all_logits ? tokens : step.shape.logits;
  if (rows == 0) {
    return;
  }
  Check(LaunchRmsNorm({.x = activations_.x.get(),
                       .weight = final_norm_.weight,
                       .rows = all_logits ? nullptr : step.inputs.logits_rows,
                       .out = activations_.normed.get(),
                       .count = rows,
                       .hidden = config_.hidden_size,
                       .eps = config_.rms_norm_eps},
                      stream),
        "final norm");
  products_.Run(head_, activations_.normed.get(), activations_.logits.get(), rows,
                ProductOutput::kFloat, stream);
}

int Engine::NextParity() {
  const int parity = static_cast<int>(begun_ % 2);
  // Of the step before the last, which has mostly been waited for.
  if (begun_ >= 2) {
    Check(cudaEventSynchronize(done_[parity].get()), "step");
  }
  ++begun_;
  return parity;
}

void Engine::Forward(const TerminusLlamaStep& step) {
  Check(cudaSetDevice(device_), "cudaSetDevice");
  const int parity = NextParity();
  SamplingCopies& copies = copies_[parity];
  copies.count = 0;
  copies.masked = 0;
  copies.has_top = false;
  copies.late = begun_ >= 2 && cudaEventQuery(done_[1 - parity].get()) == cudaSuccess;
  const bool decodes_only = step.tokens == step.sequences && step.soft_count == 0;
  const auto bucket = graphs_.lower_bound(step.tokens);
  const bool as_graph = decodes_only && bucket != graphs_.end();
  const StepCapacity capacity = {.tokens = as_graph ? bucket->first : step.tokens,
                                 .sequences = as_graph ? 0 : step.sequences};
  const StepShape shape = inputs_->Write(step, capacity, parity, stream_.get());
  if (as_graph) {
    logits_rows_ = inputs_->logits_rows();
    Check(cudaGraphLaunch(bucket->second.get(), stream_.get()), "graph launch");
    return;
  }
  logits_rows_.resize(step.logits_count);
  std::iota(logits_rows_.begin(), logits_rows_.end(), 0);
  LayerOps::Step work = MakeStep(shape, capacity);
  work.soft = step.soft_count > 0 ? &step : nullptr;
  work.parity = parity;
  if (shape.prefills > 0) {
    work.schedules = PlanPrefills(shape, inputs_->OnHost(capacity, parity), parity);
  }
  Launch(work, /*all_logits=*/false);
}

void Engine::CopySoft(const TerminusLlamaStep& step, int parity) {
  const int64_t hidden = config_.hidden_size;
  Bf16* staged = soft_[parity].get();
  for (int i = 0; i < step.soft_count; ++i) {
    const TerminusLlamaSoft& soft = step.soft[i];
    const int64_t count = soft.rows * hidden;
    std::transform(soft.values, soft.values + count, staged,
                   [](float value) { return __float2bfloat16_rn(value); });
    Check(cudaMemcpyAsync(activations_.x.get() + inputs_->RowOf(step, soft.first_token) * hidden,
                          staged, count * sizeof(Bf16), cudaMemcpyHostToDevice, stream_.get()),
          "copy of soft tokens");
    staged += count;
  }
}

void Engine::OpenSlot(int32_t slot, const sampling::SlotSampling& sampling,
                      const sampling::TokenRule* rules, const int32_t* tokens,
                      int32_t token_count) {
  Check(cudaSetDevice(device_), "cudaSetDevice");
  Check(sampler_->OpenSlot(slot, sampling, rules, tokens, token_count, stream_.get()),
        "sampling parameters");
  top_logprobs_[slot] = sampling.top_logprobs;
}

void Engine::Sample(const TerminusSamplingRow* rows, int count, const uint32_t* masks,
                    int mask_count) {
  SamplingCopies& copies = copies_[(begun_ - 1) % 2];
  if (count == 0) {
    return;
  }
  if (copies.count + count > max_sequences_ || copies.masked + mask_count > max_sequences_) {
    throw std::runtime_error("more rows to sample than sequences");
  }
  TerminusSamplingRow* const staged = copies.rows.get() + copies.count;
  bool plain = true;
  for (int i = 0; i < count; ++i) {
    staged[i] = rows[i];
    staged[i].row = logits_rows_[rows[i].row];
    plain = plain && rows[i].mask < 0 && sampler_->IsPlain(rows[i].slot);
    copies.has_top = copies.has_top || top_logprobs_[rows[i].slot] > 0;
  }
  const cudaStream_t stream = stream_.get();
  uint32_t* const device_masks = masks_.get() + int64_t{copies.masked} * mask_words_;
  if (mask_count > 0) {
    const size_t words = static_cast<size_t>(mask_count) * mask_words_;
    uint32_t* const staged_masks = copies.masks.get() + int64_t{copies.masked} * mask_words_;
    std::copy(masks, masks + words, staged_masks);
    Check(cudaMemcpyAsync(device_masks, staged_masks, words * sizeof(uint32_t),
                          cudaMemcpyHostToDevice, stream),
          "copy of masks");
  }
  Check(sampler_->Sample({.logits = activations_.logits.get(),
                          .row_stride = config_.vocab_size,
                          .rows = staged,
                          .row_count = count,
                          .masks = device_masks,
                          .results = copies.results.get() + copies.count,
                          .top = top_.get() + int64_t{copies.count} * TERMINUS_MAX_TOP_LOGPROBS,
                          .plain = plain},
                         stream),
        "sampling");
  copies.count += count;
  copies.masked += mask_count;
}

std::vector<LayerOps::Schedule> Engine::PlanPrefills(const StepShape& shape,
                                                     const StepPointers& host, int parity) {
  std::vector<LayerOps::Schedule> schedules;
  for (size_t i = 0; i < context_.windows.size(); ++i) {
    const PrefillWorkspace workspace = {
        .partial = partial_.get(),
        .partial_bytes = partial_bytes_,
        .schedule = schedule_.get() + i * schedule_bytes_,
        .pinned_schedule = pinned_schedules_[parity].get() + i * schedule_bytes_,
        .schedule_bytes = schedule_bytes_};
    schedules.push_back(
        {.schedule = PlanPrefill(
             {.heads = config_.heads, .kv_heads = config_.kv_heads, .head_dim = config_.head_dim},
             context_.windows[i],
             {.query_indptr = host.query_indptr,
              .kv_indptr = host.kv_indptr,
              .last_page_len = host.last_page_len,
              .sequences = shape.prefills},
             workspace, hopper_planner_, stream_.get()),
         .workspace = workspace});
  }
  return schedules;
}

void Engine::EndStep() {
  const int parity = static_cast<int>((begun_ - 1) % 2);
  SamplingCopies& copies = copies_[parity];
  const cudaStream_t stream = stream_.get();
  if (copies.has_top) {
    Check(cudaMemcpyAsync(copies.top.get(), top_.get(),
                          copies.count * TERMINUS_MAX_TOP_LOGPROBS * sizeof(TerminusTopLogprob),
                          cudaMemcpyDeviceToHost, stream),
          "copy of logprobs");
  }
  Check(cudaEventRecord(done_[parity].get(), stream), "event");
}

TerminusLlamaResults Engine::Wait() {
  const int parity = static_cast<int>(waited_ % 2);
  Check(cudaEventSynchronize(done_[parity].get()), "step");
  ++waited_;
  const SamplingCopies& copies = copies_[parity];
  return {.count = copies.count,
          .results = copies.results.get(),
          .top = copies.top.get(),
          .late = copies.late ? 1 : 0};
}

void Engine::CopyLogits(int row, float* logits) {
  const float* const from =
      activations_.logits.get() + int64_t{logits_rows_[row]} * config_.vocab_size;
  Check(cudaMemcpyAsync(logits, from, config_.vocab_size * sizeof(float), cudaMemcpyDeviceToHost,
                        stream_.get()),
        "copy of logits");
  Check(cudaStreamSynchronize(stream_.get()), "logits");
}

void Engine::SetToken(int32_t slot, int32_t token) {
  Check(cudaMemcpyAsync(const_cast<int32_t*>(sampler_->last_tokens()) + slot, &token, sizeof(token),
                        cudaMemcpyHostToDevice, stream_.get()),
        "copy of a token");
}

}  // namespace terminus::models::decoder::cuda
