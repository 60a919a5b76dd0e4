#include "common/chat/parser.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/expression_parser.h"
#include "common/chat/lexer.h"
#include "common/chat/token_stream.h"

namespace terminus::chat {
namespace {

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  absl::StatusOr<Block> Run() {
    TERMINUS_ASSIGN_OR_RETURN(Block block, ParseBlock({}));
    if (tokens_.Peek().kind != Token::Kind::kEnd) {
      return tokens_.Error(absl::StrCat("unexpected ", TokenStream::Name(tokens_.Peek())));
    }
    return block;
  }

 private:
  // Until a block whose name is one of `ends`, which is left to be read, or the end.
  absl::StatusOr<Block> ParseBlock(std::initializer_list<absl::string_view> ends) {
    const TokenStream::Depth depth(tokens_);
    TERMINUS_RETURN_IF_ERROR(tokens_.CheckDepth());
    Block block;
    while (true) {
      auto statement = std::make_unique<Statement>();
      statement->line = tokens_.line();
      switch (tokens_.Peek().kind) {
        case Token::Kind::kText:
          statement->text = tokens_.Take().text;
          break;
        case Token::Kind::kOutputBegin: {
          tokens_.Take();
          statement->kind = Statement::Kind::kOutput;
          TERMINUS_ASSIGN_OR_RETURN(statement->value, ParseExpression(tokens_));
          TERMINUS_RETURN_IF_ERROR(tokens_.Expect(Token::Kind::kOutputEnd, "}}"));
          break;
        }
        case Token::Kind::kBlockBegin: {
          const Token& name = tokens_.Peek(1);
          if (name.kind == Token::Kind::kName &&
              std::find(ends.begin(), ends.end(), name.text) != ends.end()) {
            return block;
          }
          TERMINUS_RETURN_IF_ERROR(ParseStatement(*statement));
          break;
        }
        case Token::Kind::kEnd:
          if (ends.size() > 0)
            return tokens_.Expected(absl::StrCat("{% ", *(ends.end() - 1), " %}"));
          return block;
        default:
          return tokens_.Error(absl::StrCat("unexpected ", TokenStream::Name(tokens_.Peek())));
      }
      block.push_back(std::move(statement));
    }
  }

  absl::Status EndTag() { return tokens_.Expect(Token::Kind::kBlockEnd, "%}"); }

  // {% name %}, which ParseBlock has seen.
  absl::Status TakeTag() {
    tokens_.Take();
    tokens_.Take();
    return EndTag();
  }

  absl::Status ParseStatement(Statement& statement) {
    tokens_.Take();
    TERMINUS_ASSIGN_OR_RETURN(const std::string name, tokens_.ExpectName("a statement"));
    if (name == "if") return ParseIf(statement);
    if (name == "for") return ParseFor(statement);
    if (name == "set") return ParseSet(statement);
    if (name == "break" || name == "continue") {
      statement.kind = name == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue;
      return loops_ > 0 ? EndTag()
                        : tokens_.Error(absl::StrCat("{% ", name, " %} outside of a loop"));
    }
    if (name == "generation") {
      // Marks what the assistant says, for training; here it is what is inside.
      TERMINUS_RETURN_IF_ERROR(EndTag());
      statement.kind = Statement::Kind::kIf;
      statement.branches.emplace_back();
      TERMINUS_ASSIGN_OR_RETURN(statement.branches[0].body, ParseBlock({"endgeneration"}));
      return TakeTag();
    }
    return tokens_.Error(absl::StrCat("{% ", name,
                                      " %} is not supported, expected if, for, set, break, ",
                                      "continue or generation"));
  }

  absl::Status ParseIf(Statement& statement) {
    statement.kind = Statement::Kind::kIf;
    while (true) {
      Statement::Branch& branch = statement.branches.emplace_back();
      TERMINUS_ASSIGN_OR_RETURN(branch.condition, ParseExpression(tokens_));
      TERMINUS_RETURN_IF_ERROR(EndTag());
      TERMINUS_ASSIGN_OR_RETURN(branch.body, ParseBlock({"elif", "else", "endif"}));
      const std::string name = tokens_.Peek(1).text;
      if (name == "elif") {
        tokens_.Take();
        tokens_.Take();
        continue;
      }
      TERMINUS_RETURN_IF_ERROR(TakeTag());
      if (name == "else") {
        TERMINUS_ASSIGN_OR_RETURN(statement.branches.emplace_back().body, ParseBlock({"endif"}));
        return TakeTag();
      }
      return absl::OkStatus();
    }
  }

  absl::Status ParseFor(Statement& statement) {
    statement.kind = Statement::Kind::kFor;
    do {
      TERMINUS_ASSIGN_OR_RETURN(statement.names.emplace_back(), tokens_.ExpectName("a name"));
    } while (tokens_.TakeOperator(","));
    if (!tokens_.TakeName("in")) return tokens_.Expected("'in'");
    TERMINUS_ASSIGN_OR_RETURN(statement.value, ParseUnconditional(tokens_));
    if (tokens_.TakeName("if")) {
      TERMINUS_ASSIGN_OR_RETURN(statement.condition, ParseExpression(tokens_));
    }
    TERMINUS_RETURN_IF_ERROR(EndTag());
    ++loops_;
    TERMINUS_ASSIGN_OR_RETURN(statement.body, ParseBlock({"else", "endfor"}));
    --loops_;
    const bool otherwise = tokens_.Peek(1).text == "else";
    TERMINUS_RETURN_IF_ERROR(TakeTag());
    if (otherwise) {
      TERMINUS_ASSIGN_OR_RETURN(statement.otherwise, ParseBlock({"endfor"}));
      return TakeTag();
    }
    return absl::OkStatus();
  }

  absl::Status ParseSet(Statement& statement) {
    statement.kind = Statement::Kind::kSet;
    TERMINUS_ASSIGN_OR_RETURN(statement.names.emplace_back(), tokens_.ExpectName("a name"));
    if (tokens_.TakeOperator(".")) {
      TERMINUS_ASSIGN_OR_RETURN(statement.names.emplace_back(), tokens_.ExpectName("a name"));
    }
    if (tokens_.TakeOperator("=")) {
      TERMINUS_ASSIGN_OR_RETURN(statement.value, ParseExpression(tokens_));
      return EndTag();
    }
    TERMINUS_RETURN_IF_ERROR(EndTag());
    TERMINUS_ASSIGN_OR_RETURN(statement.body, ParseBlock({"endset"}));
    return TakeTag();
  }

  TokenStream tokens_;
  int loops_ = 0;
};

}  // namespace

absl::StatusOr<Block> Parse(absl::string_view source) {
  TERMINUS_ASSIGN_OR_RETURN(std::vector<Token> tokens, Lex(source));
  return Parser(std::move(tokens)).Run();
}

}  // namespace terminus::chat
