#include "models/decoder/lm_runner.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "models/sampling/sampler.h"

namespace terminus::models::decoder {
namespace {

template <class... Parts>
absl::Status Bad(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("step: ", parts...));
}

RunnerInfo MakeInfo(const CausalLm& lm, const LmRunner::Options& options) {
  return {.device = options.device,
          .vocab_size = lm.vocab_size(),
          .hidden_size = lm.hidden_size(),
          .max_context = lm.max_context(),
          .kv_blocks = lm.kv_blocks(),
          .kv_block_bytes = lm.kv_block_bytes(),
          .slots = options.slots,
          .max_tokens = options.max_tokens,
          .steps_in_flight = options.steps_in_flight};
}

}  // namespace

LmRunner::LmRunner(std::unique_ptr<CausalLm> lm, sampling::LogitRules rules, Options options)
    : lm_(std::move(lm)),
      rules_(std::move(rules)),
      info_(MakeInfo(*lm_, options)),
      slots_(static_cast<size_t>(options.slots)) {
  TERMINUS_CHECK(lm_->first_stage() && lm_->last_stage());
  TERMINUS_CHECK(options.slots > 0 && options.max_tokens > 0 && options.steps_in_flight > 0);
}

absl::Status LmRunner::OpenSlot(int32_t slot, const SlotState& state) {
  if (slot < 0 || slot >= info_.slots) {
    return Bad("slot ", slot, ", there are ", info_.slots);
  }
  const bool looks_back = sampling::LooksBack(rules_, state.sampling);
  Slot& opened = slots_[static_cast<size_t>(slot)];
  // The token stays valid whatever comes: an id below every vocabulary's size.
  opened = {.open = true,
            .sampling = state.sampling,
            .prompt_length = state.prompt_length,
            .max_length = state.max_length,
            .looks_back = looks_back};
  if (looks_back) {
    opened.tokens.assign(state.tokens.begin(), state.tokens.end());
  }
  return absl::OkStatus();
}

absl::Status LmRunner::Forward(const ForwardInput& input) {
  logits_ = {};
  logits_tokens_.clear();
  row_slots_.clear();
  output_ = {};
  TERMINUS_RETURN_IF_ERROR(CheckForward(input));
  ResolveTokens(input);
  for (const int32_t sequence : input.logits_sequences) {
    logits_tokens_.push_back(input.query_indptr[static_cast<size_t>(sequence) + 1] - 1);
    row_slots_.push_back(input.slots[static_cast<size_t>(sequence)]);
  }
  row_sampled_.assign(row_slots_.size(), false);
  TERMINUS_ASSIGN_OR_RETURN(logits_, lm_->Forward({.token_ids = token_ids_,
                                                   .positions = input.positions,
                                                   .query_indptr = input.query_indptr,
                                                   .kv = input.kv,
                                                   .logits_tokens = logits_tokens_,
                                                   .soft = input.soft}));
  const size_t rows = row_slots_.size();
  if (static_cast<size_t>(logits_.rows) != rows ||
      logits_.values.size() != rows * static_cast<size_t>(logits_.vocab_size)) {
    return absl::InternalError(
        absl::StrCat("the model gave logits of ", logits_.rows, " tokens, expected ", rows));
  }
  return absl::OkStatus();
}

absl::Status LmRunner::CheckForward(const ForwardInput& input) const {
  const size_t sequences = input.slots.size();
  if (input.query_indptr.size() != sequences + 1) {
    return Bad(sequences, " slots but ", input.query_indptr.size(), " offsets in query_indptr");
  }
  if (static_cast<int64_t>(input.token_ids.size()) > info_.max_tokens) {
    return Bad(input.token_ids.size(), " tokens, at most ", info_.max_tokens);
  }
  for (const int32_t slot : input.slots) {
    if (slot < 0 || slot >= info_.slots || !slots_[static_cast<size_t>(slot)].open) {
      return Bad("slot ", slot, " is not open");
    }
  }
  for (const int32_t sequence : input.logits_sequences) {
    if (sequence < 0 || static_cast<size_t>(sequence) >= sequences) {
      return Bad("logits are wanted of sequence ", sequence, " of ", sequences);
    }
  }
  if (!input.soft.empty() && !lm_->takes_soft_tokens()) {
    return Bad("the model takes no soft tokens");
  }
  return absl::OkStatus();
}

void LmRunner::ResolveTokens(const ForwardInput& input) {
  token_ids_.assign(input.token_ids.begin(), input.token_ids.end());
  for (size_t i = 0; i < input.slots.size(); ++i) {
    const int32_t first = input.query_indptr[i];
    const int32_t end = input.query_indptr[i + 1];
    // The model checks the offsets and returns the error.
    if (end - first != 1 || first < 0 || static_cast<size_t>(first) >= token_ids_.size()) {
      continue;
    }
    int32_t& token = token_ids_[static_cast<size_t>(first)];
    if (token == kFromSampler) {
      token = slots_[static_cast<size_t>(input.slots[i])].last_token;
    }
  }
}

absl::Status LmRunner::CheckRow(const SampleRow& row) const {
  if (row.row < 0 || static_cast<size_t>(row.row) >= row_slots_.size()) {
    return Bad("row ", row.row, " is sampled, there are ", row_slots_.size());
  }
  if (row_sampled_[static_cast<size_t>(row.row)]) {
    return Bad("row ", row.row, " is sampled twice");
  }
  const int32_t slot = row_slots_[static_cast<size_t>(row.row)];
  const Slot& state = slots_[static_cast<size_t>(slot)];
  if (state.looks_back && static_cast<int64_t>(state.tokens.size()) != row.length) {
    return Bad("slot ", slot, " has a log of ", state.tokens.size(), " tokens, expected ",
               row.length);
  }
  return absl::OkStatus();
}

absl::StatusOr<sampling::Sampled> LmRunner::SampleRowOf(const Slot& slot,
                                                        const SampleRow& row) const {
  const auto width = static_cast<size_t>(logits_.vocab_size);
  const absl::Span<const float> logits =
      logits_.values.subspan(static_cast<size_t>(row.row) * width, width);
  const sampling::History history = {.tokens = slot.tokens,
                                     .length = row.length,
                                     .prompt_length = slot.prompt_length,
                                     .max_length = slot.max_length};
  const auto position = static_cast<uint64_t>(row.length);
  return sampling::Sample(logits, slot.sampling, position, rules_, history, row.mask);
}

absl::Status LmRunner::Sample(absl::Span<const SampleRow> rows) {
  for (const SampleRow& row : rows) {
    TERMINUS_RETURN_IF_ERROR(CheckRow(row));
    row_sampled_[static_cast<size_t>(row.row)] = true;
    Slot& slot = slots_[static_cast<size_t>(row_slots_[static_cast<size_t>(row.row)])];
    absl::StatusOr<sampling::Sampled> sampled = SampleRowOf(slot, row);
    if (sampled.ok()) {
      slot.last_token = sampled->chosen.token;
    }
    if (slot.looks_back) {
      slot.tokens.push_back(slot.last_token);
    }
    output_.rows.push_back({row.row, std::move(sampled)});
  }
  return absl::OkStatus();
}

absl::Status LmRunner::EndStep() {
  ended_.push_back(std::exchange(output_, {}));
  return absl::OkStatus();
}

absl::StatusOr<StepOutput> LmRunner::Collect() {
  TERMINUS_CHECK(!ended_.empty());
  StepOutput output = std::move(ended_.front());
  ended_.pop_front();
  return output;
}

}  // namespace terminus::models::decoder
