#include "common/chat/lexer.h"

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

constexpr absl::string_view kSpaces = " \t\r\n\v\f";

class Lexer {
 public:
  // `source` has no "\r".
  explicit Lexer(absl::string_view source) : source_(source) {
    // Jinja drops one newline at the end of a template.
    if (absl::EndsWith(source_, "\n")) source_.remove_suffix(1);
  }

  absl::StatusOr<std::vector<Token>> Run() {
    while (at_ < source_.size()) {
      TERMINUS_RETURN_IF_ERROR(TextAndTag());
    }
    Push(Token::Kind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  absl::Status Error(absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", line_, ": ", message));
  }

  void Push(Token::Kind kind, std::string text) {
    tokens_.push_back({.kind = kind, .text = std::move(text), .line = line_});
  }

  void CountLines(absl::string_view text) {
    line_ += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  size_t NextTag() const {
    for (size_t i = at_; i + 1 < source_.size(); ++i) {
      if (source_[i] == '{' &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#')) {
        return i;
      }
    }
    return source_.size();
  }

  absl::Status TextAndTag() {
    const size_t tag = NextTag();
    absl::string_view text = source_.substr(at_, tag - at_);
    const absl::string_view all = text;
    if (strip_next_) {
      text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
    } else if (trim_newline_ && absl::StartsWith(text, "\n")) {
      text.remove_prefix(1);
    }
    strip_next_ = trim_newline_ = false;
    if (tag < source_.size()) {
      text = WithoutSpaceBefore(text, tag);
    }
    if (!text.empty()) {
      Push(Token::Kind::kText, std::string(text));
    }
    CountLines(all);
    at_ = tag;
    if (tag == source_.size()) {
      return absl::OkStatus();
    }
    switch (source_[tag + 1]) {
      case '#':
        return Comment();
      case '%':
        return Tag(Token::Kind::kBlockBegin, Token::Kind::kBlockEnd, '%');
      default:
        return Tag(Token::Kind::kOutputBegin, Token::Kind::kOutputEnd, '}');
    }
  }

  // The text before the tag at `tag`, without what the tag takes away.
  absl::string_view WithoutSpaceBefore(absl::string_view text, size_t tag) const {
    const char kind = source_[tag + 1];
    const char mark = tag + 2 < source_.size() ? source_[tag + 2] : ' ';
    if (mark == '-') {
      const size_t last = text.find_last_not_of(kSpaces);
      return text.substr(0, last == absl::string_view::npos ? 0 : last + 1);
    }
    if (kind == '{' || mark == '+') {
      return text;
    }
    // lstrip_blocks: a block alone at the beginning of its line.
    const size_t last = text.find_last_not_of(" \t");
    const size_t kept = last == absl::string_view::npos ? 0 : last + 1;
    const bool line_begins = kept > 0 ? text[kept - 1] == '\n'
                                      : text.data() == source_.data() || *(text.data() - 1) == '\n';
    return line_begins ? text.substr(0, kept) : text;
  }

  absl::Status Comment() {
    const size_t end = source_.find("#}", at_ + 2);
    if (end == absl::string_view::npos) {
      return Error("a comment is not closed, expected #}");
    }
    strip_next_ = source_[end - 1] == '-' && end - 1 >= at_ + 2;
    trim_newline_ = !strip_next_;
    CountLines(source_.substr(at_, end - at_));
    at_ = end + 2;
    return absl::OkStatus();
  }

  absl::Status Tag(Token::Kind begin, Token::Kind end, char closing) {
    Push(begin, "");
    at_ += 2;
    if (at_ < source_.size() && (source_[at_] == '-' || source_[at_] == '+')) ++at_;
    while (true) {
      SkipSpaces();
      if (at_ >= source_.size()) {
        return Error(absl::StrCat("a tag is not closed, expected ", std::string(1, closing), "}"));
      }
      const absl::string_view rest = source_.substr(at_);
      const bool dash = rest[0] == '-';
      const size_t mark = dash || rest[0] == '+' ? 1 : 0;
      if (rest.size() > mark + 1 && rest[mark] == closing && rest[mark + 1] == '}' &&
          // Inside {{ }} a dict may end just before the tag does.
          (closing == '%' || depth_ == 0)) {
        Push(end, "");
        at_ += mark + 2;
        strip_next_ = dash;
        trim_newline_ = !dash && closing == '%' && mark == 0;
        return absl::OkStatus();
      }
      TERMINUS_RETURN_IF_ERROR(OneToken());
    }
  }

  void SkipSpaces() {
    while (at_ < source_.size() && absl::ascii_isspace(source_[at_])) {
      line_ += source_[at_++] == '\n';
    }
  }

  absl::Status OneToken() {
    const char c = source_[at_];
    if (c == '"' || c == '\'') {
      return StringLiteral(c);
    }
    if (absl::ascii_isdigit(c)) {
      return Number();
    }
    if (absl::ascii_isalpha(c) || c == '_') {
      const size_t from = at_;
      while (at_ < source_.size() && (absl::ascii_isalnum(source_[at_]) || source_[at_] == '_')) {
        ++at_;
      }
      Push(Token::Kind::kName, std::string(source_.substr(from, at_ - from)));
      return absl::OkStatus();
    }
    for (const absl::string_view op : {"==", "!=", "<=", ">=", "//", "**"}) {
      if (absl::StartsWith(source_.substr(at_), op)) {
        Push(Token::Kind::kOperator, std::string(op));
        at_ += op.size();
        return absl::OkStatus();
      }
    }
    if (absl::string_view("+-*/%~<>=()[]{}.,:|").find(c) == absl::string_view::npos) {
      return Error(absl::StrCat("unexpected character '", std::string(1, c), "'"));
    }
    depth_ += c == '{' ? 1 : c == '}' ? -1 : 0;
    Push(Token::Kind::kOperator, std::string(1, c));
    ++at_;
    return absl::OkStatus();
  }

  absl::Status Number() {
    const size_t from = at_;
    bool is_float = false;
    while (at_ < source_.size() && (absl::ascii_isdigit(source_[at_]) ||
                                    (source_[at_] == '.' && !is_float && at_ + 1 < source_.size() &&
                                     absl::ascii_isdigit(source_[at_ + 1])))) {
      is_float |= source_[at_++] == '.';
    }
    Push(is_float ? Token::Kind::kFloat : Token::Kind::kInteger,
         std::string(source_.substr(from, at_ - from)));
    return absl::OkStatus();
  }

  absl::Status StringLiteral(char quote) {
    std::string text;
    for (++at_; at_ < source_.size() && source_[at_] != quote; ++at_) {
      line_ += source_[at_] == '\n';
      if (source_[at_] == '\\' && at_ + 1 < source_.size()) {
        ++at_;
        TERMINUS_RETURN_IF_ERROR(Escape(text));
      } else {
        text.push_back(source_[at_]);
      }
    }
    if (at_ >= source_.size()) {
      return Error("a string is not closed");
    }
    ++at_;
    Push(Token::Kind::kString, std::move(text));
    return absl::OkStatus();
  }

  // What stands behind a backslash, as in Python. Leaves at_ on its last byte.
  absl::Status Escape(std::string& text) {
    constexpr absl::string_view kNames = "abfnrtv\\'\"";
    constexpr absl::string_view kMeanings = "\a\b\f\n\r\t\v\\'\"";
    const char c = source_[at_];
    if (const size_t found = kNames.find(c); found != absl::string_view::npos) {
      text.push_back(kMeanings[found]);
      return absl::OkStatus();
    }
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) {
      const absl::string_view hex = source_.substr(at_ + 1, digits);
      uint32_t code = 0;
      if (hex.size() != digits || !absl::c_all_of(hex, absl::ascii_isxdigit) ||
          !absl::SimpleHexAtoi(hex, &code) || code > 0x10ffff ||
          (code >= 0xd800 && code < 0xe000)) {
        return Error(absl::StrCat("\\", std::string(1, c), " without the ", digits,
                                  " hex digits of a character"));
      }
      tokenizer::AppendUtf8(code, text);
      at_ += digits;
      return absl::OkStatus();
    }
    if (absl::ascii_isdigit(c) || c == 'N' || c == '\n') {
      return Error("an octal, named or newline escape is not supported");
    }
    // Python keeps the backslash of what is no escape.
    text.push_back('\\');
    text.push_back(c);
    return absl::OkStatus();
  }

  absl::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  // Braces open inside the tag.
  int depth_ = 0;
  // What the last tag does to the text behind it.
  bool strip_next_ = false;
  bool trim_newline_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<Token>> Lex(absl::string_view source) {
  // Jinja reads every kind of line end as "\n".
  const std::string lines = absl::StrReplaceAll(source, {{"\r\n", "\n"}, {"\r", "\n"}});
  return Lexer(lines).Run();
}

}  // namespace terminus::chat
