#include "common/chat/lexer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/chat/literals.h"
#include "common/chat/text.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

// The number of bytes of white space at the beginning of `text`.
size_t LeadingSpace(absl::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    size_t next = at;
    if (!IsSpace(tokenizer::NextCodePoint(text, next))) break;
    at = next;
  }
  return at;
}

// `text` without the white space at its end.
absl::string_view WithoutTrailingSpace(absl::string_view text) {
  while (!text.empty() && IsSpace(tokenizer::PreviousCodePoint(text, text.size()))) {
    size_t last = text.size() - 1;
    while ((static_cast<unsigned char>(text[last]) & 0xc0) == 0x80) --last;
    text = text.substr(0, last);
  }
  return text;
}

class Lexer {
 public:
  // `source` has no "\r" and does not end in a newline that Jinja drops.
  explicit Lexer(absl::string_view source) : source_(source) {}

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

  // Steps over `bytes` of the source.
  void Skip(size_t bytes) {
    const absl::string_view text = source_.substr(at_, bytes);
    line_ += static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    at_ += bytes;
    if (bytes > 0) line_begins_ = source_[at_ - 1] == '\n';
  }

  bool Take(absl::string_view text) {
    if (!absl::StartsWith(source_.substr(at_), text)) return false;
    Skip(text.size());
    return true;
  }

  void SkipSpace() { Skip(LeadingSpace(source_.substr(at_))); }

  size_t NextTag() const {
    for (size_t i = at_; i + 1 < source_.size(); ++i) {
      if (source_[i] == '{' &&
          (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#')) {
        return i;
      }
    }
    return source_.size();
  }

  // Writes the text up to a tag with this sign, "-", "+" or none; lstrip_blocks is on.
  void PushText(absl::string_view text, char sign, bool is_output) {
    absl::string_view kept = text;
    if (sign == '-') {
      kept = WithoutTrailingSpace(text);
    } else if (sign != '+' && !is_output) {
      const size_t newline = text.rfind('\n');
      const size_t line = newline == absl::string_view::npos ? 0 : newline + 1;
      const absl::string_view last = text.substr(line);
      if ((line > 0 || line_begins_) && LeadingSpace(last) == last.size()) {
        kept = text.substr(0, line);
      }
    }
    if (!kept.empty()) Push(Token::Kind::kText, std::string(kept));
    Skip(text.size());
  }

  static char SignAt(absl::string_view text) {
    return !text.empty() && (text[0] == '-' || text[0] == '+') ? text[0] : ' ';
  }

  // The bytes of "{% raw %}" at the beginning of `tag`; 0 when it is another tag.
  static size_t RawTag(absl::string_view tag) {
    size_t at = 2;
    if (SignAt(tag.substr(at)) != ' ') ++at;
    at += LeadingSpace(tag.substr(at));
    if (!absl::StartsWith(tag.substr(at), "raw")) return 0;
    at += 3;
    at += LeadingSpace(tag.substr(at));
    if (absl::StartsWith(tag.substr(at), "-%}")) {
      return at + 3 + LeadingSpace(tag.substr(at + 3));
    }
    return absl::StartsWith(tag.substr(at), "%}") ? at + 2 : 0;
  }

  absl::Status TextAndTag() {
    const size_t tag = NextTag();
    const absl::string_view text = source_.substr(at_, tag - at_);
    if (tag == source_.size()) {
      Push(Token::Kind::kText, std::string(text));
      Skip(text.size());
      return absl::OkStatus();
    }
    const char kind = source_[tag + 1];
    const char sign = SignAt(source_.substr(tag + 2));
    PushText(text, sign, kind == '{');
    if (kind == '%') {
      if (const size_t raw = RawTag(source_.substr(tag)); raw > 0) return Raw(raw);
    }
    const int line = line_;
    Skip(sign == ' ' ? 2 : 3);
    if (kind == '#') return Comment();
    tokens_.push_back({.kind = kind == '%' ? Token::Kind::kBlockBegin : Token::Kind::kOutputBegin,
                       .text = "",
                       .line = line});
    return Tag(kind == '%');
  }

  // Behind "%}" or "#}", whose sign it was: what goes with it; trim_blocks is on.
  void SkipBehindTag(char sign) {
    if (sign == '-') {
      SkipSpace();
    } else if (sign != '+') {
      Take("\n");
    }
  }

  absl::Status Comment() {
    const size_t end = source_.find("#}", at_);
    if (end == absl::string_view::npos) return Error("a comment is not closed, expected #}");
    const char sign = end > at_ ? SignAt(source_.substr(end - 1)) : ' ';
    Skip(end + 2 - at_);
    SkipBehindTag(sign);
    return absl::OkStatus();
  }

  // Text up to {% endraw %}, as it is.
  absl::Status Raw(size_t tag_bytes) {
    Skip(tag_bytes);
    for (size_t begin = source_.find("{%", at_); begin != absl::string_view::npos;
         begin = source_.find("{%", begin + 1)) {
      size_t at = begin + 2;
      const char sign = SignAt(source_.substr(at));
      if (sign != ' ') ++at;
      at += LeadingSpace(source_.substr(at));
      if (!absl::StartsWith(source_.substr(at), "endraw")) continue;
      at += 6;
      at += LeadingSpace(source_.substr(at));
      const char end_sign = SignAt(source_.substr(at));
      if (end_sign != ' ') ++at;
      if (!absl::StartsWith(source_.substr(at), "%}")) continue;
      PushText(source_.substr(at_, begin - at_), sign, /*is_output=*/false);
      Skip(at + 2 - at_);
      SkipBehindTag(end_sign);
      return absl::OkStatus();
    }
    return Error("{% raw %} is not closed, expected {% endraw %}");
  }

  absl::Status Tag(bool is_block) {
    const absl::string_view closing = is_block ? "%}" : "}}";
    while (true) {
      SkipSpace();
      if (at_ >= source_.size()) {
        return Error(absl::StrCat("a tag is not closed, expected ", closing));
      }
      const absl::string_view rest = source_.substr(at_);
      const char sign = SignAt(rest);
      const bool signed_end =
          (sign == '-' || (sign == '+' && is_block)) && absl::StartsWith(rest.substr(1), closing);
      // Inside brackets the characters of the end are operators.
      if (brackets_.empty() && (signed_end || absl::StartsWith(rest, closing))) {
        Push(is_block ? Token::Kind::kBlockEnd : Token::Kind::kOutputEnd, "");
        Skip(signed_end ? 3 : 2);
        if (is_block) {
          SkipBehindTag(signed_end ? sign : ' ');
        } else if (signed_end) {
          SkipSpace();
        }
        return absl::OkStatus();
      }
      TERMINUS_RETURN_IF_ERROR(OneToken());
    }
  }

  absl::Status OneToken() {
    const absl::string_view rest = source_.substr(at_);
    const char c = rest[0];
    const bool behind_dot = at_ > 0 && source_[at_ - 1] == '.';
    if (const NumberLiteral number = NumberAt(rest, !behind_dot); number.bytes > 0) {
      std::string digits = absl::StrReplaceAll(rest.substr(0, number.bytes), {{"_", ""}});
      Push(number.is_float ? Token::Kind::kFloat : Token::Kind::kInteger, std::move(digits));
      Skip(number.bytes);
      return absl::OkStatus();
    }
    if (absl::ascii_isalpha(c) || c == '_') {
      size_t end = 0;
      while (end < rest.size() && (absl::ascii_isalnum(rest[end]) || rest[end] == '_')) ++end;
      Push(Token::Kind::kName, std::string(rest.substr(0, end)));
      Skip(end);
      return absl::OkStatus();
    }
    if (c == '"' || c == '\'') {
      const size_t end = StringEnd(rest);
      if (end == 0) return Error("a string is not closed");
      absl::StatusOr<std::string> text = Unescaped(rest.substr(1, end - 2));
      if (!text.ok()) return Error(text.status().message());
      Push(Token::Kind::kString, *std::move(text));
      Skip(end);
      return absl::OkStatus();
    }
    return Operator(rest);
  }

  absl::Status Operator(absl::string_view rest) {
    for (const absl::string_view op : {"==", "!=", "<=", ">=", "//", "**"}) {
      if (absl::StartsWith(rest, op)) {
        Push(Token::Kind::kOperator, std::string(op));
        Skip(op.size());
        return absl::OkStatus();
      }
    }
    const char c = rest[0];
    if (absl::string_view("+-*/%~<>=()[]{}.,:|;").find(c) == absl::string_view::npos) {
      size_t bytes = 0;
      tokenizer::NextCodePoint(rest, bytes);
      return Error(absl::StrCat("unexpected character '", rest.substr(0, bytes), "'"));
    }
    if (c == '(' || c == '[' || c == '{') {
      brackets_.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
      if (brackets_.empty() || brackets_.back() != c) {
        return Error(brackets_.empty()
                         ? absl::StrCat("unexpected '", std::string(1, c), "'")
                         : absl::StrCat("unexpected '", std::string(1, c), "', expected '",
                                        std::string(1, brackets_.back()), "'"));
      }
      brackets_.pop_back();
    }
    Push(Token::Kind::kOperator, std::string(1, c));
    Skip(1);
    return absl::OkStatus();
  }

  const absl::string_view source_;
  size_t at_ = 0;
  int line_ = 1;
  // Whether what was read last ended a line.
  bool line_begins_ = true;
  // The ends of the brackets that are open inside the tag.
  std::string brackets_;
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<Token>> Lex(absl::string_view source) {
  // Jinja reads every kind of line end as "\n", and drops one at the end of a template.
  std::string lines = absl::StrReplaceAll(source, {{"\r\n", "\n"}, {"\r", "\n"}});
  if (absl::EndsWith(lines, "\n")) lines.pop_back();
  return Lexer(lines).Run();
}

}  // namespace terminus::chat
