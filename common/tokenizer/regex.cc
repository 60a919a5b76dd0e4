#include "common/tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

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

// The pattern as PCRE2 writes it. tokenizer.json has Oniguruma's Ruby syntax, where \s and \w stand
// for other characters than PCRE2's: U+180E is no space, marks are of words. Its ^ and $ are those
// of every line, which is an option here. INVALID_ARGUMENT for what has another meaning there.
absl::StatusOr<std::string> FromOniguruma(absl::string_view pattern) {
  constexpr char kWord[] = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
  // Outside classes, Oniguruma has a table of its own for Latin-1, with ² ³ ¹ ¼ ½ ¾.
  const std::string word = absl::StrCat("[", kWord, "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}]");
  const auto unsupported = [](size_t at, absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("regular expression, at byte ", at, ": ", what, " is not supported"));
  };
  std::string out;
  int brackets = 0;  // open ones: inside a class
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    const absl::string_view two = pattern.substr(at, 2);
    if (c != '\\' || two.size() < 2) {
      if (brackets > 0 && (two == "&&" || (c == '[' && two != "[:"))) {
        return unsupported(at, "a class made of classes");
      }
      brackets += c == '[' ? 1 : c == ']' && brackets > 0 ? -1 : 0;
      out.push_back(c);
      continue;
    }
    ++at;
    if (two == "\\s" || two == "\\S") {
      absl::StrAppend(&out, two == "\\s" ? "\\p{White_Space}" : "\\P{White_Space}");
    } else if (two == "\\w") {
      absl::StrAppend(&out, brackets > 0 ? kWord : word);
    } else if (brackets == 0 && two == "\\W") {
      absl::StrAppend(&out, "[^", word.substr(1));
    } else if (brackets == 0 && two == "\\b") {
      absl::StrAppend(&out, "(?:(?<=", word, ")(?!", word, ")|(?<!", word, ")(?=", word, "))");
    } else if (brackets == 0 && two == "\\B") {
      absl::StrAppend(&out, "(?:(?<=", word, ")(?=", word, ")|(?<!", word, ")(?!", word, "))");
    } else if (two == "\\W" || two == "\\h" || two == "\\H") {
      return unsupported(at - 1, two);
    } else {
      absl::StrAppend(&out, two);
    }
  }
  return out;
}

}  // namespace

struct Regex::Code {
  explicit Code(pcre2_code* code) : code(code) {}
  ~Code() { pcre2_code_free(code); }
  pcre2_code* const code;
};

absl::StatusOr<std::unique_ptr<const Regex>> Regex::Create(absl::string_view pattern) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string translated, FromOniguruma(pattern));
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* const code = pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr);
  if (code == nullptr) {
    PCRE2_UCHAR message[128] = {};
    pcre2_get_error_message(error, message, sizeof(message));
    return absl::InvalidArgumentError(absl::StrCat("regular expression, at byte ", offset, ": ",
                                                   reinterpret_cast<const char*>(message)));
  }
  // Where there is no JIT compiler the interpreter does the same, slower.
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
  return std::unique_ptr<const Regex>(new Regex(std::make_unique<const Code>(code)));
}

Regex::Regex(std::unique_ptr<const Code> code) : code_(std::move(code)) {}

Regex::~Regex() = default;

void Regex::Find(absl::string_view text, std::vector<SplitPiece>& pieces) const {
  thread_local const Scratch scratch;
  const PCRE2_SIZE* const found = pcre2_get_ovector_pointer(scratch.data.get());
  size_t done = 0;
  size_t from = 0;
  bool any = false;  // a match ends at `done`
  while (from <= text.size() && !text.empty() && Match(code_->code, text, from, scratch)) {
    const size_t begin = found[0];
    const size_t end = found[1];
    if (end == begin && any && end == done) {
      // Nothing matched where a match ends: look again behind the next character.
      from = end + 1;
      while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xc0) == 0x80) ++from;
      continue;
    }
    // A look-behind pattern may match before where the last one ended.
    if (begin < done || end < begin) break;
    if (done < begin) pieces.push_back({text.substr(done, begin - done), false});
    pieces.push_back({text.substr(begin, end - begin), true});
    done = from = end;
    any = true;
  }
  if (done < text.size()) pieces.push_back({text.substr(done), false});
}

}  // namespace terminus::tokenizer
