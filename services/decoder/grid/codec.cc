#include "services/decoder/grid/codec.h"

#include <vector>

#include "common/base/bytes.h"
#include "common/base/errors.h"

namespace terminus::services::decoder::grid {
namespace {

using base::ByteReader;
using base::ByteWriter;
using models::sampling::Logprob;
using models::sampling::Sampled;

void Write(const absl::Status& status, ByteWriter& writer) {
  writer.Put(static_cast<uint32_t>(status.code()));
  writer.PutCounted(base::Reason(status));
  writer.PutCounted(status.message());
}

absl::Status ReadStatus(ByteReader& reader) {
  const auto code = static_cast<absl::StatusCode>(reader.Get<uint32_t>());
  std::string reason;
  std::string message;
  reader.GetCounted(reason);
  reader.GetCounted(message);
  absl::Status status(code, message);
  if (!status.ok() && !reason.empty()) {
    base::Attach(status, reason, "");
  }
  return status;
}

void Write(const Logprob& logprob, ByteWriter& writer) {
  writer.Put(logprob.token);
  writer.Put(logprob.logprob);
}

Logprob ReadLogprob(ByteReader& reader) {
  Logprob logprob;
  logprob.token = reader.Get<int32_t>();
  logprob.logprob = reader.Get<float>();
  return logprob;
}

void Write(const Sampled& sampled, ByteWriter& writer) {
  Write(sampled.chosen, writer);
  writer.PutCount(sampled.top.size());
  for (const Logprob& logprob : sampled.top) {
    Write(logprob, writer);
  }
}

// At most as many as there are bytes for: a count is not believed.
Sampled ReadSampled(ByteReader& reader) {
  Sampled sampled = {.chosen = ReadLogprob(reader), .top = {}};
  for (auto left = reader.Get<uint32_t>(); left > 0 && !reader.ended(); --left) {
    sampled.top.push_back(ReadLogprob(reader));
  }
  return sampled;
}

absl::StatusOr<pipeline::StepTokens> ReadTokens(ByteReader& reader) {
  const absl::Status status = ReadStatus(reader);
  if (!status.ok()) {
    return status;
  }
  pipeline::StepTokens tokens;
  for (auto left = reader.Get<uint32_t>(); left > 0 && !reader.ended(); --left) {
    const absl::Status row = ReadStatus(reader);
    if (row.ok()) {
      tokens.emplace_back(ReadSampled(reader));
    } else {
      tokens.emplace_back(row);
    }
  }
  return tokens;
}

absl::Status CheckEnd(const ByteReader& reader, const char* name) {
  if (reader.ended() || reader.left() > 0) {
    return absl::InvalidArgumentError(std::string(name) + ": the bytes end early or late");
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeResult(const pipeline::StepResult& result) {
  ByteWriter writer;
  writer.Put(result.step);
  writer.Put(absl::ToInt64Nanoseconds(result.host_time));
  writer.Put(static_cast<uint8_t>(result.late ? 1 : 0));
  Write(result.tokens.status(), writer);
  if (result.tokens.ok()) {
    writer.PutCount(result.tokens->size());
    for (const absl::StatusOr<Sampled>& row : *result.tokens) {
      Write(row.status(), writer);
      if (row.ok()) {
        Write(*row, writer);
      }
    }
  }
  return writer.Take();
}

absl::StatusOr<pipeline::StepResult> DecodeResult(absl::string_view bytes) {
  ByteReader reader(bytes);
  const auto step = reader.Get<uint64_t>();
  const absl::Duration host_time = absl::Nanoseconds(reader.Get<int64_t>());
  const bool late = reader.Get<uint8_t>() != 0;
  pipeline::StepResult result = {
      .step = step, .tokens = ReadTokens(reader), .host_time = host_time, .late = late};
  const absl::Status end = CheckEnd(reader, "step result");
  if (!end.ok()) {
    return end;
  }
  return result;
}

std::string EncodeMasks(uint64_t step, const pipeline::StepMasks& masks) {
  ByteWriter writer;
  writer.Put(step);
  writer.PutCount(masks.size());
  for (const std::vector<uint32_t>& mask : masks) {
    writer.PutCounted(mask);
  }
  return writer.Take();
}

absl::StatusOr<std::pair<uint64_t, pipeline::StepMasks>> DecodeMasks(absl::string_view bytes) {
  ByteReader reader(bytes);
  std::pair<uint64_t, pipeline::StepMasks> decoded;
  decoded.first = reader.Get<uint64_t>();
  for (auto left = reader.Get<uint32_t>(); left > 0 && !reader.ended(); --left) {
    reader.GetCounted(decoded.second.emplace_back());
  }
  const absl::Status end = CheckEnd(reader, "masks");
  if (!end.ok()) {
    return end;
  }
  return decoded;
}

std::string EncodeStatus(const absl::Status& status) {
  ByteWriter writer;
  Write(status, writer);
  return writer.Take();
}

absl::Status DecodeStatus(absl::string_view bytes) {
  ByteReader reader(bytes);
  absl::Status status = ReadStatus(reader);
  if (status.ok() || !CheckEnd(reader, "status").ok()) {
    return absl::InternalError("a rank failed and did not say why");
  }
  return status;
}

}  // namespace terminus::services::decoder::grid
