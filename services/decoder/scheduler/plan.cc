#include "services/decoder/scheduler/plan.h"

#include <cmath>
#include <cstring>
#include <type_traits>

#include "absl/strings/str_cat.h"

// Layout, all little-endian:
//   plan:  u32 magic, u32 version, u64 step, u32 entries, entries
//   entry: u64 sequence, i32 first position, u32 tokens, u32 blocks, u8 sample, tokens and blocks
//          as i32; if sample: f32 temperature, u32 top_k, f32 top_p, f32 min_p,
//          f32 repetition_penalty, u64 seed, u32 choice, i32 top_logprobs, i32 prompt tokens,
//          i32 max length, u32 earlier tokens, these as i32
namespace terminus::services::decoder::scheduler {
namespace {

constexpr uint32_t kMagic = 0x4e4c5054;  // "TPLN"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

class Writer {
 public:
  template <typename T>
  void Put(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  void PutAll(const std::vector<int32_t>& values) {
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(int32_t));
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(absl::string_view bytes) : rest_(bytes) {}

  // Reads zero past the end, and remembers that.
  template <typename T>
  T Get() {
    T value{};
    if (rest_.size() < sizeof(T)) {
      ended_ = true;
      rest_ = {};
    } else {
      std::memcpy(&value, rest_.data(), sizeof(T));
      rest_.remove_prefix(sizeof(T));
    }
    return value;
  }
  std::vector<int32_t> GetAll(uint32_t count) {
    // Compared before anything is allocated.
    if (rest_.size() / sizeof(int32_t) < count) {
      ended_ = true;
      return {};
    }
    std::vector<int32_t> values(count);
    if (count > 0) {
      std::memcpy(values.data(), rest_.data(), count * sizeof(int32_t));
    }
    rest_.remove_prefix(count * sizeof(int32_t));
    return values;
  }
  bool ended() const { return ended_; }
  size_t left() const { return rest_.size(); }

 private:
  absl::string_view rest_;
  bool ended_ = false;
};

absl::Status Wrong(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("step plan: ", what));
}

absl::Status CheckIds(const std::vector<int32_t>& ids, int32_t limit, const char* what) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= limit) {
      return Wrong(absl::StrCat(what, " ", id, ", expected 0 to ", limit - 1));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSampling(const models::sampling::Parameters& p) {
  if (!std::isfinite(p.temperature) || p.temperature < 0) {
    return Wrong(absl::StrCat("temperature ", p.temperature));
  }
  if (!(p.top_p >= 0 && p.top_p <= 1)) {
    return Wrong(absl::StrCat("top_p ", p.top_p));
  }
  if (!(p.min_p >= 0 && p.min_p <= 1)) {
    return Wrong(absl::StrCat("min_p ", p.min_p));
  }
  if (!(std::isfinite(p.repetition_penalty) && p.repetition_penalty > 0)) {
    return Wrong(absl::StrCat("repetition_penalty ", p.repetition_penalty));
  }
  if (p.top_logprobs < -1 || p.top_logprobs > models::sampling::kMaxTopLogprobs) {
    return Wrong(absl::StrCat("top_logprobs ", p.top_logprobs));
  }
  return absl::OkStatus();
}

// `end` is the number of the sequence's tokens.
absl::Status CheckSample(const PlanEntry& entry, int64_t end, const PlanBounds& bounds) {
  if (entry.prompt_tokens < 0 || entry.prompt_tokens > end) {
    return Wrong(absl::StrCat("a prompt of ", entry.prompt_tokens, " tokens, of ", end));
  }
  const size_t earlier = entry.earlier.size();
  if (earlier != 0 && earlier != static_cast<size_t>(entry.first_position)) {
    return Wrong(absl::StrCat(earlier, " earlier tokens, expected ", entry.first_position));
  }
  if (absl::Status status = CheckIds(entry.earlier, bounds.vocab_size, "earlier token");
      !status.ok()) {
    return status;
  }
  return CheckSampling(entry.sampling);
}

absl::Status CheckEntry(const PlanEntry& entry, const PlanBounds& bounds) {
  const auto tokens = static_cast<int64_t>(entry.tokens.size());
  if (tokens == 0) {
    return Wrong("an entry without tokens");
  }
  const int64_t end = int64_t{entry.first_position} + tokens;
  if (entry.first_position < 0 || end > bounds.max_context) {
    return Wrong(absl::StrCat("positions ", entry.first_position, " to ", end, ", the context has ",
                              bounds.max_context));
  }
  const int64_t blocks = (end + bounds.block_tokens - 1) / bounds.block_tokens;
  if (static_cast<int64_t>(entry.blocks.size()) != blocks) {
    return Wrong(
        absl::StrCat(entry.blocks.size(), " blocks for ", end, " tokens, expected ", blocks));
  }
  if (absl::Status status = CheckIds(entry.tokens, bounds.vocab_size, "token"); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckIds(entry.blocks, bounds.kv_blocks, "block"); !status.ok()) {
    return status;
  }
  return entry.sample ? CheckSample(entry, end, bounds) : absl::OkStatus();
}

PlanEntry ReadEntry(Reader& reader) {
  PlanEntry entry;
  entry.sequence = reader.Get<uint64_t>();
  entry.first_position = reader.Get<int32_t>();
  const auto tokens = reader.Get<uint32_t>();
  const auto blocks = reader.Get<uint32_t>();
  entry.sample = reader.Get<uint8_t>() != 0;
  entry.tokens = reader.GetAll(tokens);
  entry.blocks = reader.GetAll(blocks);
  if (entry.sample) {
    entry.sampling.temperature = reader.Get<float>();
    entry.sampling.top_k = reader.Get<uint32_t>();
    entry.sampling.top_p = reader.Get<float>();
    entry.sampling.min_p = reader.Get<float>();
    entry.sampling.repetition_penalty = reader.Get<float>();
    entry.sampling.seed = reader.Get<uint64_t>();
    entry.sampling.choice = reader.Get<uint32_t>();
    entry.sampling.top_logprobs = reader.Get<int32_t>();
    entry.prompt_tokens = reader.Get<int32_t>();
    entry.max_length = reader.Get<int32_t>();
    entry.earlier = reader.GetAll(reader.Get<uint32_t>());
  }
  return entry;
}

}  // namespace

std::string EncodePlan(const StepPlan& plan) {
  Writer writer;
  writer.Put(kMagic);
  writer.Put(kPlanVersion);
  writer.Put(plan.step);
  writer.Put(static_cast<uint32_t>(plan.entries.size()));
  for (const PlanEntry& entry : plan.entries) {
    writer.Put(entry.sequence);
    writer.Put(entry.first_position);
    writer.Put(static_cast<uint32_t>(entry.tokens.size()));
    writer.Put(static_cast<uint32_t>(entry.blocks.size()));
    writer.Put(static_cast<uint8_t>(entry.sample));
    writer.PutAll(entry.tokens);
    writer.PutAll(entry.blocks);
    if (entry.sample) {
      writer.Put(entry.sampling.temperature);
      writer.Put(entry.sampling.top_k);
      writer.Put(entry.sampling.top_p);
      writer.Put(entry.sampling.min_p);
      writer.Put(entry.sampling.repetition_penalty);
      writer.Put(entry.sampling.seed);
      writer.Put(entry.sampling.choice);
      writer.Put(entry.sampling.top_logprobs);
      writer.Put(entry.prompt_tokens);
      writer.Put(entry.max_length);
      writer.Put(static_cast<uint32_t>(entry.earlier.size()));
      writer.PutAll(entry.earlier);
    }
  }
  return writer.Take();
}

absl::StatusOr<StepPlan> DecodePlan(absl::string_view bytes, const PlanBounds& bounds) {
  Reader reader(bytes);
  if (reader.Get<uint32_t>() != kMagic) {
    return Wrong("these bytes are none");
  }
  if (const auto version = reader.Get<uint32_t>(); version != kPlanVersion) {
    return Wrong(absl::StrCat("version ", version, ", expected ", kPlanVersion));
  }
  StepPlan plan;
  plan.step = reader.Get<uint64_t>();
  const auto entries = reader.Get<uint32_t>();
  for (uint32_t i = 0; i < entries && !reader.ended(); ++i) {
    PlanEntry entry = ReadEntry(reader);
    if (reader.ended()) {
      break;
    }
    if (absl::Status status = CheckEntry(entry, bounds); !status.ok()) {
      return status;
    }
    plan.entries.push_back(std::move(entry));
  }
  if (reader.ended()) {
    return Wrong(absl::StrCat("ends early, within ", bytes.size(), " bytes"));
  }
  if (reader.left() > 0) {
    return Wrong(absl::StrCat(reader.left(), " bytes too many"));
  }
  return plan;
}

}  // namespace terminus::services::decoder::scheduler
