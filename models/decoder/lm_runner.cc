#include "models/decoder/lm_runner.h"

#include <algorithm>
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

// Whether the sequence's only new token is the one last sampled in its slot.
bool IsFromSampler(const ForwardInput& input, size_t sequence) {
  const int32_t first = input.query_indptr[sequence];
  // The model checks the offsets and returns the error.
  return input.query_indptr[sequence + 1] - first == 1 && first >= 0 &&
         static_cast<size_t>(first) < input.token_ids.size() &&
         input.token_ids[static_cast<size_t>(first)] == kFromSampler;
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
          .steps_in_flight = options.steps_in_flight,
          .samples = lm.last_stage()};
}

}  // namespace

LmRunner::LmRunner(std::shared_ptr<CausalLm> lm, sampling::LogitRules rules, Options options,
                   std::unique_ptr<StageLinks> links)
    : lm_(std::move(lm)),
      rules_(std::move(rules)),
      links_(std::move(links)),
      pipeline_steps_(options.pipeline_steps),
      info_(MakeInfo(*lm_, options)),
      slots_(static_cast<size_t>(options.slots)) {
  TERMINUS_CHECK((links_ == nullptr) == (lm_->first_stage() && lm_->last_stage()));
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
  ++steps_;
  for (const int32_t sequence : input.logits_sequences) {
    logits_tokens_.push_back(input.query_indptr[static_cast<size_t>(sequence) + 1] - 1);
    row_slots_.push_back(input.slots[static_cast<size_t>(sequence)]);
  }
  row_sampled_.assign(row_slots_.size(), false);
  const bool awaits = lm_->first_stage() && !lm_->last_stage();
  if (awaits) {
    TERMINUS_RETURN_IF_ERROR(ReceiveTokens(input));
  }
  ResolveTokens(input);
  TERMINUS_RETURN_IF_ERROR(RunLayers(input));
  if (awaits && !row_slots_.empty()) {
    awaited_.push_back({.step = steps_, .slots = row_slots_});
  }
  return absl::OkStatus();
}

absl::Status LmRunner::ReceiveTokens(const ForwardInput& input) {
  const auto needed = [&](const Awaited& awaited) {
    // So many steps later its result has reached the scheduler.
    if (awaited.step + static_cast<uint64_t>(pipeline_steps_) <= steps_) {
      return true;
    }
    for (size_t i = 0; i < input.slots.size(); ++i) {
      if (IsFromSampler(input, i) && std::find(awaited.slots.begin(), awaited.slots.end(),
                                               input.slots[i]) != awaited.slots.end()) {
        return true;
      }
    }
    return false;
  };
  const auto last = std::find_if(awaited_.rbegin(), awaited_.rend(), needed);
  for (auto left = std::distance(last, awaited_.rend()); left > 0; --left) {
    const std::vector<int32_t>& slots = awaited_.front().slots;
    std::vector<int32_t> tokens(slots.size());
    TERMINUS_RETURN_IF_ERROR(links_->ReceiveTokens(absl::MakeSpan(tokens)));
    for (size_t i = 0; i < slots.size(); ++i) {
      slots_[static_cast<size_t>(slots[i])].last_token = tokens[i];
    }
    awaited_.pop_front();
  }
  return absl::OkStatus();
}

absl::Status LmRunner::RunLayers(const ForwardInput& input) {
  StepInput step = {.token_ids = token_ids_,
                    .positions = input.positions,
                    .query_indptr = input.query_indptr,
                    .kv = input.kv,
                    .logits_tokens = logits_tokens_,
                    .hidden_states = {},
                    .soft = input.soft};
  if (!lm_->first_stage()) {
    hidden_.resize(token_ids_.size() * static_cast<size_t>(lm_->hidden_size()));
    TERMINUS_RETURN_IF_ERROR(links_->ReceiveHidden(absl::MakeSpan(hidden_)));
    step.hidden_states = hidden_;
  }
  if (!lm_->last_stage()) {
    TERMINUS_ASSIGN_OR_RETURN(const HiddenStates hidden, lm_->ForwardHidden(step));
    return links_->SendHidden(hidden.values);
  }
  TERMINUS_ASSIGN_OR_RETURN(logits_, lm_->Forward(step));
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
  if (!input.soft.empty() && lm_->first_stage() && !lm_->takes_soft_tokens()) {
    return Bad("the model takes no soft tokens");
  }
  return absl::OkStatus();
}

void LmRunner::ResolveTokens(const ForwardInput& input) {
  token_ids_.assign(input.token_ids.begin(), input.token_ids.end());
  if (!lm_->first_stage()) {
    return;
  }
  for (size_t i = 0; i < input.slots.size(); ++i) {
    if (IsFromSampler(input, i)) {
      token_ids_[static_cast<size_t>(input.query_indptr[i])] =
          slots_[static_cast<size_t>(input.slots[i])].last_token;
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
  if (links_ != nullptr && lm_->last_stage() && !row_slots_.empty()) {
    std::vector<int32_t> tokens;
    for (const int32_t slot : row_slots_) {
      tokens.push_back(slots_[static_cast<size_t>(slot)].last_token);
    }
    TERMINUS_RETURN_IF_ERROR(links_->SendTokens(tokens));
  }
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
