#include "services/decoder/grid/runner_info.h"

#include "common/base/bytes.h"

namespace terminus::services::decoder::grid {

std::string EncodeInfo(const models::decoder::RunnerInfo& info) {
  base::ByteWriter writer;
  writer.PutCounted(info.device);
  for (const int number : {info.vocab_size, info.hidden_size, info.max_context, info.kv_blocks,
                           info.slots, info.max_tokens, info.steps_in_flight}) {
    writer.Put(static_cast<int32_t>(number));
  }
  writer.Put(info.kv_block_bytes);
  writer.Put(static_cast<uint8_t>(info.samples ? 1 : 0));
  return writer.Take();
}

absl::StatusOr<models::decoder::RunnerInfo> DecodeInfo(absl::string_view bytes) {
  base::ByteReader reader(bytes);
  models::decoder::RunnerInfo info;
  reader.GetCounted(info.device);
  for (int* number : {&info.vocab_size, &info.hidden_size, &info.max_context, &info.kv_blocks,
                      &info.slots, &info.max_tokens, &info.steps_in_flight}) {
    *number = reader.Get<int32_t>();
  }
  info.kv_block_bytes = reader.Get<int64_t>();
  info.samples = reader.Get<uint8_t>() != 0;
  if (reader.ended() || reader.left() > 0) {
    return absl::InvalidArgumentError("a rank's numbers end early or late");
  }
  return info;
}

}  // namespace terminus::services::decoder::grid
