#include "services/decoder/scheduler/slot_table.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/decoder/kv_view.h"
#include "models/sampling/logits.h"

namespace terminus::services::decoder::scheduler {
namespace {

using models::decoder::kFromSampler;
using models::decoder::kKvBlockTokens;

template <class... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("step plan: ", parts...));
}

int64_t BlocksOf(int64_t tokens) { return (tokens + kKvBlockTokens - 1) / kKvBlockTokens; }

int32_t Size(const std::vector<int32_t>& values) { return static_cast<int32_t>(values.size()); }

absl::Status CheckIds(absl::Span<const int32_t> ids, int32_t limit, const char* what) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= limit) {
      return Wrong(what, " ", id, ", expected 0 to ", limit - 1);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSampling(const models::sampling::Parameters& p, int32_t vocab_size) {
  if (!(std::isfinite(p.temperature) && p.temperature >= 0)) {
    return Wrong("temperature ", p.temperature);
  }
  if (!(p.top_p >= 0 && p.top_p <= 1)) {
    return Wrong("top_p ", p.top_p);
  }
  if (!(p.min_p >= 0 && p.min_p <= 1)) {
    return Wrong("min_p ", p.min_p);
  }
  if (!(std::isfinite(p.repetition_penalty) && p.repetition_penalty > 0)) {
    return Wrong("repetition_penalty ", p.repetition_penalty);
  }
  if (!std::isfinite(p.frequency_penalty) || !std::isfinite(p.presence_penalty)) {
    return Wrong("frequency_penalty ", p.frequency_penalty, ", presence_penalty ",
                 p.presence_penalty);
  }
  if (p.min_tokens < 0) {
    return Wrong("min_tokens ", p.min_tokens);
  }
  if (p.top_logprobs < -1 || p.top_logprobs > models::sampling::kMaxTopLogprobs) {
    return Wrong("top_logprobs ", p.top_logprobs);
  }
  if (p.logit_bias.size() > static_cast<size_t>(models::sampling::kMaxLogitBiases)) {
    return Wrong(p.logit_bias.size(), " logit biases, at most ", models::sampling::kMaxLogitBiases);
  }
  for (const models::sampling::LogitBias& bias : p.logit_bias) {
    if (bias.token < 0 || bias.token >= vocab_size || !std::isfinite(bias.bias)) {
      return Wrong("logit_bias ", bias.bias, " of token ", bias.token);
    }
  }
  return absl::OkStatus();
}

}  // namespace

SlotTable::SlotTable(const models::decoder::RunnerInfo& info, models::sampling::LogitRules rules)
    : info_(info),
      rules_(std::move(rules)),
      slots_(static_cast<size_t>(info.slots)),
      marks_(slots_.size()) {
  ClearArrays();
}

absl::Status SlotTable::Apply(const StepPlan& plan) {
  TERMINUS_RETURN_IF_ERROR(Check(plan));
  ClearArrays();
  for (const int32_t slot : plan.closed) {
    slots_[static_cast<size_t>(slot)] = {};
  }
  for (const uint64_t hash : plan.dropped_soft_tokens) {
    soft_tokens_.erase(hash);
  }
  for (const auto& soft : plan.soft_tokens) {
    soft_tokens_[soft->content_hash] = soft;
  }
  for (const OpenedSlot& opened : plan.opened) {
    Open(opened);
  }
  for (const PlanEntry& entry : plan.entries) {
    Enter(entry);
  }
  return absl::OkStatus();
}

absl::Status SlotTable::Check(const StepPlan& plan) {
  std::fill(marks_.begin(), marks_.end(), Mark{});
  for (const int32_t slot : plan.closed) {
    TERMINUS_RETURN_IF_ERROR(CheckSlot(slot));
    marks_[static_cast<size_t>(slot)].closed = true;
  }
  for (const auto& soft : plan.soft_tokens) {
    if (soft->rows < 1 || soft->values.size() != static_cast<size_t>(soft->rows) *
                                                     static_cast<size_t>(info_.hidden_size)) {
      return Wrong("soft tokens with ", soft->values.size(), " values, expected ", soft->rows,
                   " rows of ", info_.hidden_size);
    }
  }
  for (const OpenedSlot& opened : plan.opened) {
    TERMINUS_RETURN_IF_ERROR(CheckOpened(opened));
    marks_[static_cast<size_t>(opened.slot)].opened = &opened;
  }
  size_t tokens = 0;
  for (const PlanEntry& entry : plan.entries) {
    TERMINUS_RETURN_IF_ERROR(CheckEntry(plan, entry));
    marks_[static_cast<size_t>(entry.slot)].entered = true;
    tokens += entry.tokens.size();
  }
  if (tokens > static_cast<size_t>(info_.max_tokens)) {
    return Wrong(tokens, " tokens, at most ", info_.max_tokens);
  }
  return absl::OkStatus();
}

absl::Status SlotTable::CheckSlot(int32_t slot) const {
  return slot >= 0 && slot < info_.slots
             ? absl::OkStatus()
             : Wrong("slot ", slot, ", expected 0 to ", info_.slots - 1);
}

absl::Status SlotTable::CheckOpened(const OpenedSlot& opened) {
  TERMINUS_RETURN_IF_ERROR(CheckSlot(opened.slot));
  const auto slot = static_cast<size_t>(opened.slot);
  if (marks_[slot].opened != nullptr || (slots_[slot].open && !marks_[slot].closed)) {
    return Wrong("slot ", opened.slot, " is open already");
  }
  if (opened.prompt_length < 1 || opened.max_length <= opened.prompt_length ||
      opened.max_length > info_.max_context) {
    return Wrong("slot ", opened.slot, " with a prompt of ", opened.prompt_length, " of ",
                 opened.max_length, " tokens, the context has ", info_.max_context);
  }
  if (opened.computed < 0 || opened.computed >= opened.max_length) {
    return Wrong("slot ", opened.slot, " with ", opened.computed, " computed tokens of ",
                 opened.max_length);
  }
  const auto blocks = static_cast<int64_t>(opened.blocks.size());
  if (blocks < BlocksOf(opened.computed) || blocks > BlocksOf(opened.max_length)) {
    return Wrong("slot ", opened.slot, " with ", blocks, " blocks for ", opened.computed,
                 " computed tokens");
  }
  const bool looks_back = models::sampling::LooksBack(rules_, opened.sampling);
  const auto logged = static_cast<int64_t>(opened.tokens.size());
  if (looks_back ? logged <= opened.computed || logged >= opened.max_length : logged > 0) {
    return Wrong("slot ", opened.slot, " with ", logged, " earlier tokens, ",
                 looks_back ? "expected all" : "expected none");
  }
  TERMINUS_RETURN_IF_ERROR(CheckIds(opened.blocks, info_.kv_blocks, "block"));
  TERMINUS_RETURN_IF_ERROR(CheckIds(opened.tokens, info_.vocab_size, "earlier token"));
  return CheckSampling(opened.sampling, info_.vocab_size);
}

absl::Status SlotTable::CheckEntry(const StepPlan& plan, const PlanEntry& entry) {
  TERMINUS_RETURN_IF_ERROR(CheckSlot(entry.slot));
  const Mark& mark = marks_[static_cast<size_t>(entry.slot)];
  const Slot& slot = slots_[static_cast<size_t>(entry.slot)];
  const bool was_open = slot.open && !mark.closed;
  if (mark.opened == nullptr && !was_open) {
    return Wrong("slot ", entry.slot, " is not open");
  }
  if (mark.entered) {
    return Wrong("slot ", entry.slot, " has two entries");
  }
  if (entry.tokens.empty()) {
    return Wrong("slot ", entry.slot, " has an entry without tokens");
  }
  if (entry.tokens.size() == 1 && entry.tokens.front() == kFromSampler) {
    if (mark.opened != nullptr || !slot.sampled) {
      return Wrong("slot ", entry.slot, " takes a token from the sampler, which has none");
    }
  } else {
    TERMINUS_RETURN_IF_ERROR(CheckIds(entry.tokens, info_.vocab_size, "token"));
  }
  TERMINUS_RETURN_IF_ERROR(CheckIds(entry.new_blocks, info_.kv_blocks, "block"));
  TERMINUS_RETURN_IF_ERROR(CheckEnd(entry));
  return CheckSoft(plan, entry);
}

// The sequence's length and blocks after the entry.
absl::Status SlotTable::CheckEnd(const PlanEntry& entry) const {
  const OpenedSlot* opened = marks_[static_cast<size_t>(entry.slot)].opened;
  const Slot& slot = slots_[static_cast<size_t>(entry.slot)];
  const int64_t begin = opened != nullptr ? opened->computed : slot.length;
  const int64_t max_length = opened != nullptr ? opened->max_length : slot.told.max_length;
  const int64_t end = begin + static_cast<int64_t>(entry.tokens.size());
  if (end >= max_length) {
    return Wrong("slot ", entry.slot, " with positions ", begin, " to ", end,
                 ", its sequence ends at ", max_length);
  }
  const auto blocks = static_cast<int64_t>(
      (opened != nullptr ? opened->blocks.size() : slot.blocks.size()) + entry.new_blocks.size());
  if (blocks < BlocksOf(end) || blocks > BlocksOf(max_length)) {
    return Wrong("slot ", entry.slot, " with ", blocks, " blocks for ", end, " tokens of at most ",
                 max_length);
  }
  const bool fresh = opened != nullptr;
  const bool looks_back = fresh ? !opened->tokens.empty() : slot.logged >= 0;
  const int64_t logged = fresh ? static_cast<int64_t>(opened->tokens.size()) : slot.logged;
  if (entry.sample && looks_back && logged != end) {
    return Wrong("slot ", entry.slot, " samples behind ", end, " tokens, of which ", logged,
                 " were told");
  }
  return absl::OkStatus();
}

absl::Status SlotTable::CheckSoft(const StepPlan& plan, const PlanEntry& entry) const {
  int64_t free_from = 0;
  for (const PlanSoftSpan& span : entry.soft) {
    const auto added =
        std::find_if(plan.soft_tokens.begin(), plan.soft_tokens.end(),
                     [&](const auto& soft) { return soft->content_hash == span.content_hash; });
    const bool dropped = std::find(plan.dropped_soft_tokens.begin(), plan.dropped_soft_tokens.end(),
                                   span.content_hash) != plan.dropped_soft_tokens.end();
    const auto known = soft_tokens_.find(span.content_hash);
    int64_t rows = 0;
    if (added != plan.soft_tokens.end()) {
      rows = (*added)->rows;
    } else if (known != soft_tokens_.end() && !dropped) {
      rows = known->second->rows;
    } else {
      return Wrong("soft tokens ", span.content_hash, " are not known");
    }
    const int64_t end = int64_t{span.first_token} + span.rows;
    if (span.first_token < free_from || span.rows < 1 ||
        end > static_cast<int64_t>(entry.tokens.size()) || span.first_row < 0 ||
        int64_t{span.first_row} + span.rows > rows) {
      return Wrong("slot ", entry.slot, " with soft tokens at ", span.first_token, ", ", span.rows,
                   " rows from ", span.first_row, " of ", rows);
    }
    free_from = end;
  }
  return absl::OkStatus();
}

void SlotTable::ClearArrays() {
  for (std::vector<int32_t>* values :
       {&token_ids_, &positions_, &query_indptr_, &entered_slots_, &kv_indptr_, &kv_indices_,
        &last_page_len_, &logits_sequences_}) {
    values->clear();
  }
  query_indptr_.push_back(0);
  kv_indptr_.push_back(0);
  soft_.clear();
  rows_.clear();
}

void SlotTable::Open(const OpenedSlot& opened) {
  Slot& slot = slots_[static_cast<size_t>(opened.slot)];
  slot = {.open = true, .length = opened.computed, .told = opened, .blocks = opened.blocks};
  if (models::sampling::LooksBack(rules_, opened.sampling)) {
    slot.logged = Size(opened.tokens);
  }
  slot.told.blocks = {};
  slot.told.tokens = {};
}

void SlotTable::Enter(const PlanEntry& entry) {
  Slot& slot = slots_[static_cast<size_t>(entry.slot)];
  const auto tokens = static_cast<int32_t>(entry.tokens.size());
  for (const PlanSoftSpan& span : entry.soft) {
    soft_.push_back({.first_token = Size(token_ids_) + span.first_token,
                     .first_row = span.first_row,
                     .rows = span.rows,
                     .tokens = soft_tokens_.at(span.content_hash)});
  }
  token_ids_.insert(token_ids_.end(), entry.tokens.begin(), entry.tokens.end());
  for (int32_t i = 0; i < tokens; ++i) {
    positions_.push_back(slot.length + i);
  }
  slot.length += tokens;
  slot.blocks.insert(slot.blocks.end(), entry.new_blocks.begin(), entry.new_blocks.end());
  slot.sampled = entry.sample;
  query_indptr_.push_back(Size(token_ids_));
  kv_indices_.insert(kv_indices_.end(), slot.blocks.begin(),
                     slot.blocks.begin() + BlocksOf(slot.length));
  kv_indptr_.push_back(Size(kv_indices_));
  last_page_len_.push_back((slot.length - 1) % kKvBlockTokens + 1);
  if (entry.sample) {
    logits_sequences_.push_back(Size(entered_slots_));
    rows_.push_back({.length = slot.length, .constrained = slot.told.constrained});
    slot.logged += slot.logged >= 0 ? 1 : 0;
  }
  entered_slots_.push_back(entry.slot);
}

models::decoder::ForwardInput SlotTable::input() const {
  return {.token_ids = token_ids_,
          .positions = positions_,
          .query_indptr = query_indptr_,
          .slots = entered_slots_,
          .kv = {.indptr = kv_indptr_, .indices = kv_indices_, .last_page_len = last_page_len_},
          .logits_sequences = logits_sequences_,
          .soft = soft_};
}

StepPlan SlotTable::Snapshot(
    uint64_t step, absl::FunctionRef<std::vector<int32_t>(int32_t slot)> tokens_of) const {
  StepPlan plan{.step = step};
  for (const auto& [hash, soft] : soft_tokens_) {
    plan.soft_tokens.push_back(soft);
  }
  std::sort(plan.soft_tokens.begin(), plan.soft_tokens.end(),
            [](const auto& a, const auto& b) { return a->content_hash < b->content_hash; });
  for (const Slot& slot : slots_) {
    if (!slot.open) {
      continue;
    }
    OpenedSlot& opened = plan.opened.emplace_back(slot.told);
    opened.computed = slot.length;
    opened.blocks = slot.blocks;
    if (slot.logged >= 0) {
      opened.tokens = tokens_of(opened.slot);
    }
  }
  return plan;
}

}  // namespace terminus::services::decoder::scheduler
