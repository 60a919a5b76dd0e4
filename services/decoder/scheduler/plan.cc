#include "services/decoder/scheduler/plan.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/bytes.h"
#include "models/decoder/step_runner.h"

// The layout is described in docs/step_plan.md.
namespace terminus::services::decoder::scheduler {
namespace {

constexpr uint32_t kMagic = 0x4e4c5054;  // "TPLN"

// Flags of an opened slot.
constexpr uint8_t kConstrained = 1;
// Flags of an entry.
constexpr uint8_t kSample = 1;
constexpr uint8_t kTokenFromSampler = 2;
constexpr uint8_t kSoft = 4;

using Writer = base::ByteWriter;
using Reader = base::ByteReader;

absl::Status Wrong(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("step plan: ", what));
}

void Write(const models::sampling::Parameters& sampling, Writer& writer) {
  writer.Put(sampling.temperature);
  writer.Put(sampling.top_k);
  writer.Put(sampling.top_p);
  writer.Put(sampling.min_p);
  writer.Put(sampling.repetition_penalty);
  writer.Put(sampling.frequency_penalty);
  writer.Put(sampling.presence_penalty);
  writer.Put(sampling.min_tokens);
  writer.Put(sampling.seed);
  writer.Put(sampling.choice);
  writer.Put(sampling.top_logprobs);
  writer.PutCounted(sampling.logit_bias);
}

void Read(Reader& reader, models::sampling::Parameters& sampling) {
  sampling.temperature = reader.Get<float>();
  sampling.top_k = reader.Get<uint32_t>();
  sampling.top_p = reader.Get<float>();
  sampling.min_p = reader.Get<float>();
  sampling.repetition_penalty = reader.Get<float>();
  sampling.frequency_penalty = reader.Get<float>();
  sampling.presence_penalty = reader.Get<float>();
  sampling.min_tokens = reader.Get<int32_t>();
  sampling.seed = reader.Get<uint64_t>();
  sampling.choice = reader.Get<uint32_t>();
  sampling.top_logprobs = reader.Get<int32_t>();
  reader.GetCounted(sampling.logit_bias);
}

void Write(const models::decoder::SoftTokens& soft, Writer& writer) {
  writer.Put(soft.content_hash);
  writer.Put(soft.rows);
  writer.PutCounted(soft.values);
}

void Read(Reader& reader, std::shared_ptr<const models::decoder::SoftTokens>& out) {
  auto soft = std::make_shared<models::decoder::SoftTokens>();
  soft->content_hash = reader.Get<uint64_t>();
  soft->rows = reader.Get<int32_t>();
  reader.GetCounted(soft->values);
  out = std::move(soft);
}

void Write(const OpenedSlot& opened, Writer& writer) {
  writer.Put(opened.slot);
  writer.Put(opened.constrained ? kConstrained : uint8_t{0});
  writer.Put(opened.prompt_length);
  writer.Put(opened.max_length);
  writer.Put(opened.computed);
  Write(opened.sampling, writer);
  writer.PutCounted(opened.blocks);
  writer.PutCounted(opened.tokens);
}

void Read(Reader& reader, OpenedSlot& opened) {
  opened.slot = reader.Get<int32_t>();
  opened.constrained = (reader.Get<uint8_t>() & kConstrained) != 0;
  opened.prompt_length = reader.Get<int32_t>();
  opened.max_length = reader.Get<int32_t>();
  opened.computed = reader.Get<int32_t>();
  Read(reader, opened.sampling);
  reader.GetCounted(opened.blocks);
  reader.GetCounted(opened.tokens);
}

bool FromSampler(const PlanEntry& entry) {
  return entry.tokens.size() == 1 && entry.tokens.front() == models::decoder::kFromSampler;
}

void Write(const PlanSoftSpan& span, Writer& writer) {
  writer.Put(span.first_token);
  writer.Put(span.first_row);
  writer.Put(span.rows);
  writer.Put(span.content_hash);
}

void Read(Reader& reader, PlanSoftSpan& span) {
  span.first_token = reader.Get<int32_t>();
  span.first_row = reader.Get<int32_t>();
  span.rows = reader.Get<int32_t>();
  span.content_hash = reader.Get<uint64_t>();
}

void Write(const PlanEntry& entry, Writer& writer);
void Read(Reader& reader, PlanEntry& entry);

template <typename Records>
void WriteRecords(const Records& records, Writer& writer) {
  writer.PutCount(records.size());
  for (const auto& record : records) {
    Write(record, writer);
  }
}

// Stops at the end of the bytes, however many records they claim to have.
template <typename Records>
void ReadRecords(Reader& reader, Records& records) {
  const auto count = reader.Get<uint32_t>();
  for (uint32_t i = 0; i < count && !reader.ended(); ++i) {
    Read(reader, records.emplace_back());
  }
}

void Write(const PlanEntry& entry, Writer& writer) {
  const bool from_sampler = FromSampler(entry);
  writer.Put(entry.slot);
  writer.Put(static_cast<uint8_t>((entry.sample ? kSample : 0) |
                                  (from_sampler ? kTokenFromSampler : 0) |
                                  (entry.soft.empty() ? 0 : kSoft)));
  writer.PutCounted(entry.new_blocks);
  if (!from_sampler) {
    writer.PutCounted(entry.tokens);
  }
  if (!entry.soft.empty()) {
    WriteRecords(entry.soft, writer);
  }
}

void Read(Reader& reader, PlanEntry& entry) {
  entry.slot = reader.Get<int32_t>();
  const auto flags = reader.Get<uint8_t>();
  entry.sample = (flags & kSample) != 0;
  reader.GetCounted(entry.new_blocks);
  if ((flags & kTokenFromSampler) != 0) {
    entry.tokens.assign(1, models::decoder::kFromSampler);
  } else {
    reader.GetCounted(entry.tokens);
  }
  if ((flags & kSoft) != 0) {
    ReadRecords(reader, entry.soft);
  }
}

}  // namespace

std::string EncodePlan(const StepPlan& plan) {
  Writer writer;
  writer.Put(kMagic);
  writer.Put(kPlanVersion);
  writer.Put(plan.step);
  writer.PutCounted(plan.closed);
  writer.PutCounted(plan.dropped_soft_tokens);
  writer.PutCount(plan.soft_tokens.size());
  for (const auto& soft : plan.soft_tokens) {
    Write(*soft, writer);
  }
  WriteRecords(plan.opened, writer);
  WriteRecords(plan.entries, writer);
  return writer.Take();
}

absl::StatusOr<StepPlan> DecodePlan(absl::string_view bytes) {
  Reader reader(bytes);
  if (reader.Get<uint32_t>() != kMagic) {
    return Wrong("the bytes are no step plan");
  }
  if (const auto version = reader.Get<uint32_t>(); version != kPlanVersion) {
    return Wrong(absl::StrCat("version ", version, ", expected ", kPlanVersion));
  }
  StepPlan plan;
  plan.step = reader.Get<uint64_t>();
  reader.GetCounted(plan.closed);
  reader.GetCounted(plan.dropped_soft_tokens);
  ReadRecords(reader, plan.soft_tokens);
  ReadRecords(reader, plan.opened);
  ReadRecords(reader, plan.entries);
  if (reader.ended()) {
    return Wrong(absl::StrCat("ends early, within ", bytes.size(), " bytes"));
  }
  if (reader.left() > 0) {
    return Wrong(absl::StrCat(reader.left(), " bytes too many"));
  }
  return plan;
}

}  // namespace terminus::services::decoder::scheduler
