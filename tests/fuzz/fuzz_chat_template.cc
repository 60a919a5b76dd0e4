// A chat template, up to the first NUL, and what the user says, behind it.
#include <cstdint>

#include "common/base/check.h"
#include "common/chat/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const auto parsed = terminus::chat::ChatTemplate::Parse(input.substr(0, end));
  if (!parsed.ok()) return 0;
  const std::string said(end == absl::string_view::npos ? "Hello" : input.substr(end + 1));
  for (const bool add_generation_prompt : {false, true}) {
    const auto rendered = (*parsed)->Render(
        {{.role = "system", .content = "Be brief."}, {.role = "user", .content = said}},
        add_generation_prompt, {.bos = "<s>", .eos = "</s>"});
    // An error is fine; what counts is that it ends, and that message text is part of the text.
    if (!rendered.ok()) continue;
    size_t at = 0;
    for (const terminus::base::ByteRange& range : rendered->message_text) {
      TERMINUS_CHECK(at <= range.begin && range.begin < range.end);
      at = range.end;
    }
    TERMINUS_CHECK(at <= rendered->text.size());
  }
  return 0;
}
