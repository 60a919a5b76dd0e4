// A chat template, up to the first NUL, and what the user says, behind it.
#include <cstdint>

#include "common/chat/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  const auto parsed = terminus::chat::ChatTemplate::Parse(input.substr(0, end));
  if (!parsed.ok()) return 0;
  const std::string said(end == absl::string_view::npos ? "Hello" : input.substr(end + 1));
  for (const bool add_generation_prompt : {false, true}) {
    const auto text = (*parsed)->Render(
        {{.role = "system", .content = "Be brief."}, {.role = "user", .content = said}},
        add_generation_prompt, {.bos = "<s>", .eos = "</s>"});
    // Either is fine; what counts is that it ends.
    static_cast<void>(text);
  }
  return 0;
}
