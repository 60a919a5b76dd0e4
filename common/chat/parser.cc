#include "common/chat/parser.h"

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/expression_parser.h"
#include "common/chat/lexer.h"
#include "common/chat/scopes.h"
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
        case Token::Kind::kText: {
          auto text = std::make_unique<Expression>();
          text->line = tokens_.line();
          text->value = Value(tokens_.Take().text);
          statement->values.push_back(std::move(text));
          break;
        }
        case Token::Kind::kOutputBegin: {
          tokens_.Take();
          TERMINUS_ASSIGN_OR_RETURN(statement->values.emplace_back(), ParseTuple(tokens_));
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
          if (ends.size() > 0) {
            return tokens_.Expected(absl::StrCat("{% ", *(ends.end() - 1), " %}"));
          }
          return block;
        default:
          return tokens_.Error(absl::StrCat("unexpected ", TokenStream::Name(tokens_.Peek())));
      }
      block.push_back(std::move(statement));
    }
  }

  absl::Status EndTag() { return tokens_.Expect(Token::Kind::kBlockEnd, "%}"); }

  // The end of a tag that a body follows: it may have a colon, as in Python.
  absl::StatusOr<Block> ParseBody(std::initializer_list<absl::string_view> ends) {
    tokens_.TakeOperator(":");
    TERMINUS_RETURN_IF_ERROR(EndTag());
    return ParseBlock(ends);
  }

  // {% name, which ParseBlock has seen.
  std::string TakeName() {
    tokens_.Take();
    return tokens_.Take().text;
  }

  // A body and the tag that ends it.
  absl::StatusOr<Block> ParseWhole(absl::string_view end) {
    TERMINUS_ASSIGN_OR_RETURN(Block body, ParseBody({end}));
    TakeName();
    TERMINUS_RETURN_IF_ERROR(EndTag());
    return body;
  }

  absl::Status ParseStatement(Statement& statement) {
    tokens_.Take();
    const TokenStream before = tokens_;
    TERMINUS_ASSIGN_OR_RETURN(const std::string name, tokens_.ExpectName("a statement"));
    if (name == "if") return ParseIf(statement);
    if (name == "for") return ParseFor(statement);
    if (name == "set") return ParseSet(statement);
    if (name == "macro") return ParseMacro(statement);
    if (name == "call") return ParseCall(statement);
    if (name == "filter") return ParseFilterBlock(statement);
    if (name == "with") return ParseWith(statement);
    if (name == "generation") return ParseGeneration(statement);
    if (name == "print") return ParsePrint(statement);
    if (name == "break" || name == "continue") {
      statement.kind = name == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue;
      return loops_ > 0 ? EndTag()
                        : before.Error(absl::StrCat("{% ", name, " %} outside of a loop"));
    }
    return before.Error(absl::StrCat("{% ", name,
                                     " %} is not supported, expected if, for, set, macro, call, "
                                     "filter, with, print, break, continue or generation"));
  }

  absl::Status ParseIf(Statement& statement) {
    statement.kind = Statement::Kind::kIf;
    while (true) {
      Statement::Branch& branch = statement.branches.emplace_back();
      TERMINUS_ASSIGN_OR_RETURN(branch.condition, ParseTuple(tokens_, {.conditions = false}));
      TERMINUS_ASSIGN_OR_RETURN(branch.body, ParseBody({"elif", "else", "endif"}));
      const std::string name = TakeName();
      if (name == "elif") continue;
      if (name == "else") {
        TERMINUS_ASSIGN_OR_RETURN(statement.branches.emplace_back().body, ParseWhole("endif"));
        return absl::OkStatus();
      }
      return EndTag();
    }
  }

  absl::Status ParseFor(Statement& statement) {
    statement.kind = Statement::Kind::kFor;
    const TokenStream before = tokens_;
    TERMINUS_ASSIGN_OR_RETURN(statement.target, ParseTarget(tokens_, /*members=*/false, "in"));
    if (!tokens_.TakeName("in")) return tokens_.Expected("'in'");
    TERMINUS_ASSIGN_OR_RETURN(statement.value,
                              ParseTuple(tokens_, {.conditions = false, .end = "recursive"}));
    if (tokens_.TakeName("if")) {
      TERMINUS_ASSIGN_OR_RETURN(statement.condition, ParseExpression(tokens_));
      // Once more, for the frame of the condition.
      TokenStream again = before;
      TERMINUS_ASSIGN_OR_RETURN(statement.condition_target,
                                ParseTarget(again, /*members=*/false, "in"));
    }
    statement.recursive = tokens_.TakeName("recursive");
    ++loops_;
    TERMINUS_ASSIGN_OR_RETURN(statement.body, ParseBody({"endfor", "else"}));
    --loops_;
    if (TakeName() == "endfor") return EndTag();
    // A loop's else may leave the loop around, unless it runs inside a function of its own.
    const int loops = loops_;
    if (statement.recursive) loops_ = 0;
    TERMINUS_ASSIGN_OR_RETURN(statement.otherwise, ParseWhole("endfor"));
    loops_ = loops;
    return absl::OkStatus();
  }

  absl::Status ParseSet(Statement& statement) {
    statement.kind = Statement::Kind::kSet;
    TERMINUS_ASSIGN_OR_RETURN(statement.target, ParseTarget(tokens_, /*members=*/true));
    if (tokens_.TakeOperator("=")) {
      TERMINUS_ASSIGN_OR_RETURN(statement.value, ParseTuple(tokens_));
      return EndTag();
    }
    statement.captures = true;
    TERMINUS_ASSIGN_OR_RETURN(statement.value, ParseFilters(tokens_, nullptr, /*inner=*/false));
    TERMINUS_ASSIGN_OR_RETURN(statement.body, ParseWhole("endset"));
    return absl::OkStatus();
  }

  // ( a, b=… )
  absl::Status ParseSignature(MacroDefinition& macro) {
    TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator("("));
    while (!tokens_.IsOperator(")")) {
      if (!macro.parameters.empty()) TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr parameter, ParseTargetName(tokens_));
      for (const ExpressionPtr& other : macro.parameters) {
        if (other->text == parameter->text) {
          return tokens_.Error(absl::StrCat("the parameter '", other->text, "' is there twice"));
        }
      }
      macro.parameters.push_back(std::move(parameter));
      if (tokens_.TakeOperator("=")) {
        TERMINUS_ASSIGN_OR_RETURN(macro.defaults.emplace_back(), ParseExpression(tokens_));
      } else if (!macro.defaults.empty()) {
        return tokens_.Error("a parameter without a default behind one with a default");
      }
    }
    return tokens_.ExpectOperator(")");
  }

  // The body of a macro, which is a function of its own: no break goes through it.
  absl::Status ParseMacroBody(MacroDefinition& macro, absl::string_view end) {
    macro.line = tokens_.line();
    const int loops = loops_;
    loops_ = 0;
    TERMINUS_ASSIGN_OR_RETURN(macro.body, ParseWhole(end));
    loops_ = loops;
    return absl::OkStatus();
  }

  absl::Status ParseMacro(Statement& statement) {
    statement.kind = Statement::Kind::kMacro;
    statement.macro = std::make_unique<MacroDefinition>();
    TERMINUS_ASSIGN_OR_RETURN(statement.target, ParseTargetName(tokens_));
    statement.macro->name = statement.target->text;
    TERMINUS_RETURN_IF_ERROR(ParseSignature(*statement.macro));
    return ParseMacroBody(*statement.macro, "endmacro");
  }

  absl::Status ParseCall(Statement& statement) {
    statement.kind = Statement::Kind::kCall;
    statement.macro = std::make_unique<MacroDefinition>();
    if (tokens_.IsOperator("(")) TERMINUS_RETURN_IF_ERROR(ParseSignature(*statement.macro));
    TERMINUS_ASSIGN_OR_RETURN(statement.value, ParseExpression(tokens_));
    if (statement.value->kind != Expression::Kind::kCall) return tokens_.Error("expected a call");
    return ParseMacroBody(*statement.macro, "endcall");
  }

  // {% generation %} marks what the assistant says, for training: here it is what is inside.
  absl::Status ParseGeneration(Statement& statement) {
    statement.kind = Statement::Kind::kCall;
    statement.macro = std::make_unique<MacroDefinition>();
    return ParseMacroBody(*statement.macro, "endgeneration");
  }

  absl::Status ParseFilterBlock(Statement& statement) {
    statement.kind = Statement::Kind::kFilter;
    TERMINUS_ASSIGN_OR_RETURN(statement.value, ParseFilters(tokens_, nullptr, /*inner=*/true));
    TERMINUS_ASSIGN_OR_RETURN(statement.body, ParseWhole("endfilter"));
    return absl::OkStatus();
  }

  absl::Status ParseWith(Statement& statement) {
    statement.kind = Statement::Kind::kWith;
    while (tokens_.Peek().kind != Token::Kind::kBlockEnd) {
      if (!statement.targets.empty()) TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      TERMINUS_ASSIGN_OR_RETURN(statement.targets.emplace_back(),
                                ParseTarget(tokens_, /*members=*/false));
      TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator("="));
      TERMINUS_ASSIGN_OR_RETURN(statement.values.emplace_back(), ParseExpression(tokens_));
    }
    TERMINUS_ASSIGN_OR_RETURN(statement.body, ParseWhole("endwith"));
    return absl::OkStatus();
  }

  absl::Status ParsePrint(Statement& statement) {
    while (tokens_.Peek().kind != Token::Kind::kBlockEnd) {
      if (!statement.values.empty()) TERMINUS_RETURN_IF_ERROR(tokens_.ExpectOperator(","));
      TERMINUS_ASSIGN_OR_RETURN(statement.values.emplace_back(), ParseExpression(tokens_));
    }
    return EndTag();
  }

  TokenStream tokens_;
  // Around the statement, inside the same function.
  int loops_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const Template>> Parse(absl::string_view source) {
  TERMINUS_ASSIGN_OR_RETURN(std::vector<Token> tokens, Lex(source));
  auto made = std::make_unique<Template>();
  TERMINUS_ASSIGN_OR_RETURN(made->body, Parser(std::move(tokens)).Run());
  TERMINUS_RETURN_IF_ERROR(PlaceVariables(*made));
  return made;
}

}  // namespace terminus::chat
