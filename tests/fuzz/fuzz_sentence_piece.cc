// The bytes before the last NUL are a SentencePiece vocabulary; those after it are a text, which is
// encoded as SiglipTokenizer of transformers does.
#include <cstdint>
#include <vector>

#include "common/base/check.h"
#include "common/tokenizer/siglip_pipeline.h"
#include "common/tokenizer/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using terminus::tokenizer::SiglipPipeline;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.rfind('\0');
  if (end == absl::string_view::npos) return 0;
  const absl::string_view text = input.substr(end + 1);
  if (!terminus::tokenizer::IsValidUtf8(text)) return 0;
  const auto pipeline = SiglipPipeline::Create(
      input.substr(0, end), {.unk_token = "<unk>",
                             .added = {{4, {.content = "ab", .single_word = true}},
                                       {300, {.content = "b c", .lstrip = true, .rstrip = true}}},
                             .special = {"</s>", "<unk>"}});
  if (!pipeline.ok()) return 0;
  std::vector<int32_t> ids;
  (*pipeline)->Encode(text, ids);
  const auto tokens = static_cast<int32_t>((*pipeline)->Tokens().size());
  for (const int32_t id : ids) TERMINUS_CHECK(id >= 0 && id < tokens);
  return 0;
}
