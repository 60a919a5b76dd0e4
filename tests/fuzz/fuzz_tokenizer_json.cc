// A tokenizer.json, up to the first NUL, and a text, behind it.
#include <cstdint>

#include "common/tokenizer/incremental_decoder.h"
#include "common/tokenizer/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace terminus::tokenizer;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const auto tokenizer = Tokenizer::FromJson(input.substr(0, end));
  if (!tokenizer.ok()) return 0;
  const absl::string_view text =
      end == absl::string_view::npos ? "It's 12 o'clock,  Zoë! 東京" : input.substr(end + 1);
  const auto encoding = (*tokenizer)->Encode(text);
  if (!encoding.ok()) return 0;
  IncrementalDecoder decoder(tokenizer->get(), /*skip_special_tokens=*/false);
  for (const int32_t id : encoding->ids) {
    if (id < 0 || id >= (*tokenizer)->vocabulary_size()) __builtin_trap();
    static_cast<void>(decoder.Push(id));
  }
  return 0;
}
