#include "common/tokenizer/regex_split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace terminus::tokenizer {
namespace {

// Steps of one match: bounded, so that no pattern and no text can make it go on for ever.
constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kHeapLimitKib = 64 << 10;

using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;
using MatchContext = std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)>;

// What each thread needs for matching, made once.
struct Scratch {
  Scratch()
      : data(pcre2_match_data_create(1, nullptr), &pcre2_match_data_free),
        context(pcre2_match_context_create(nullptr), &pcre2_match_context_free) {
    pcre2_set_match_limit(context.get(), kMatchLimit);
    pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  }
  MatchData data;
  MatchContext context;
};

// Whether there is a match from `from` on; where it is, is left in `scratch`.
bool Match(const pcre2_code* code, absl::string_view text, size_t from, const Scratch& scratch) {
  const auto match = [&](uint32_t options) {
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                       PCRE2_NO_UTF_CHECK | options, scratch.data.get(), scratch.context.get());
  };
  int matched = match(0);
  // Compiled patterns have a small stack of their own; the interpreter has the heap.
  if (matched == PCRE2_ERROR_JIT_STACKLIMIT) matched = match(PCRE2_NO_JIT);
  return matched >= 0;
}

}  // namespace

struct RegexSplit::Code {
  explicit Code(pcre2_code* code) : code(code) {}
  ~Code() { pcre2_code_free(code); }
  pcre2_code* const code;
};

absl::StatusOr<std::unique_ptr<const PreTokenizer>> RegexSplit::Create(const std::string& pattern,
                                                                       SplitBehavior behavior,
                                                                       bool invert) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* const code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (code == nullptr) {
    PCRE2_UCHAR message[128] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    return absl::InvalidArgumentError(absl::StrCat("regular expression, at byte ", offset, ": ",
                                                   reinterpret_cast<const char*>(message)));
  }
  // Where there is no JIT compiler the interpreter does the same, slower.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return std::unique_ptr<const PreTokenizer>(
      new RegexSplit(std::make_unique<const Code>(code), behavior, invert));
}

RegexSplit::RegexSplit(std::unique_ptr<const Code> code, SplitBehavior behavior, bool invert)
    : code_(std::move(code)), behavior_(behavior), invert_(invert) {}

RegexSplit::~RegexSplit() = default;

void RegexSplit::Split(absl::string_view text, std::vector<absl::string_view>& words) const {
  thread_local const Scratch scratch;
  const PCRE2_SIZE* const found = pcre2_get_ovector_pointer(scratch.data.get());
  std::vector<SplitPiece> pieces;
  size_t done = 0;
  size_t from = 0;
  while (from <= text.size()) {
    if (!Match(code_->code, text, from, scratch)) {
      break;
    }
    const size_t begin = found[0];
    const size_t end = found[1];
    if (end == begin) {
      // Nothing matched: look again behind the next character.
      from = end + 1;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80) ++from;
      continue;
    }
    if (done < begin) {
      pieces.push_back({text.substr(done, begin - done), invert_});
    }
    pieces.push_back({text.substr(begin, end - begin), !invert_});
    done = from = end;
  }
  if (done < text.size()) {
    pieces.push_back({text.substr(done), invert_});
  }
  CombinePieces(pieces, behavior_, words);
}

}  // namespace terminus::tokenizer
