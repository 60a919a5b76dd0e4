#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/chat/lexer.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {

// Of statements inside each other, of brackets inside each other, and of a parsed expression.
inline constexpr int kMaxDepth = 100;

// The tokens of a template, read one by one, and where the reader is. Errors name the line.
class TokenStream {
 public:
  // The last one is of the kind kEnd.
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  // Counts how deep the parser is inside itself, as long as it lives.
  class Depth {
   public:
    explicit Depth(TokenStream& tokens) : depth_(tokens.depth_) { ++depth_; }
    ~Depth() { --depth_; }

   private:
    int& depth_;
  };

  const Token& Peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  Token Take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }

  bool IsOperator(absl::string_view text) const {
    return Peek().kind == Token::Kind::kOperator && Peek().text == text;
  }
  bool IsName(absl::string_view text) const {
    return Peek().kind == Token::Kind::kName && Peek().text == text;
  }
  bool TakeOperator(absl::string_view text) { return IsOperator(text) && (++at_, true); }
  bool TakeName(absl::string_view text) { return IsName(text) && (++at_, true); }

  static std::string Name(const Token& token) {
    switch (token.kind) {
      case Token::Kind::kEnd:
        return "end of the template";
      case Token::Kind::kText:
        return "text";
      case Token::Kind::kOutputBegin:
        return "{{";
      case Token::Kind::kOutputEnd:
        return "}}";
      case Token::Kind::kBlockBegin:
        return "{%";
      case Token::Kind::kBlockEnd:
        return "%}";
      default: {
        constexpr size_t kExcerptBytes = 60;
        const absl::string_view text = token.text;
        const size_t shown = tokenizer::ValidUtf8Prefix(text.substr(0, kExcerptBytes));
        return absl::StrCat("'", text.substr(0, shown), shown < text.size() ? "…'" : "'");
      }
    }
  }

  absl::Status Error(absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat("line ", Peek().line, ": ", message));
  }
  absl::Status Expected(absl::string_view what) const {
    return Error(absl::StrCat("found ", Name(Peek()), ", expected ", what));
  }
  absl::Status Expect(Token::Kind kind, absl::string_view what) {
    if (Peek().kind != kind) return Expected(what);
    Take();
    return absl::OkStatus();
  }
  absl::Status ExpectOperator(absl::string_view text) {
    return TakeOperator(text) ? absl::OkStatus() : Expected(absl::StrCat("'", text, "'"));
  }
  absl::StatusOr<std::string> ExpectName(absl::string_view what) {
    if (Peek().kind != Token::Kind::kName) return Expected(what);
    return Take().text;
  }
  absl::Status CheckDepth() const {
    return depth_ > kMaxDepth ? Error(absl::StrCat("nested deeper than ", kMaxDepth))
                              : absl::OkStatus();
  }

  int line() const { return Peek().line; }

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace terminus::chat
