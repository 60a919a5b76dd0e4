#include "common/chat/parser.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/lexer.h"

namespace terminus::chat {
namespace {

constexpr int kMaxDepth = 100;

using ExpressionPtr = std::unique_ptr<Expression>;
using Kind = Expression::Kind;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  absl::StatusOr<Block> Run() {
    TERMINUS_ASSIGN_OR_RETURN(Block block, ParseBlock({}));
    if (Peek().kind != Token::Kind::kEnd) {
      return Error(absl::StrCat("unexpected ", Name(Peek())));
    }
    return block;
  }

 private:
  // Counts how deep the parser is inside itself.
  class Depth {
   public:
    explicit Depth(int& depth) : depth_(depth) { ++depth_; }
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
      default:
        return absl::StrCat("'", token.text, "'");
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

  ExpressionPtr Make(Kind kind, std::string text = "") const {
    auto made = std::make_unique<Expression>();
    made->kind = kind;
    made->line = Peek().line;
    made->text = std::move(text);
    return made;
  }

  // --- Statements.

  // Until a block whose name is one of `ends`, which is left to be read, or the end.
  absl::StatusOr<Block> ParseBlock(std::initializer_list<absl::string_view> ends) {
    const Depth depth(depth_);
    TERMINUS_RETURN_IF_ERROR(CheckDepth());
    Block block;
    while (true) {
      auto statement = std::make_unique<Statement>();
      statement->line = Peek().line;
      switch (Peek().kind) {
        case Token::Kind::kText:
          statement->text = Take().text;
          break;
        case Token::Kind::kOutputBegin: {
          Take();
          statement->kind = Statement::Kind::kOutput;
          TERMINUS_ASSIGN_OR_RETURN(statement->value, ParseExpression());
          TERMINUS_RETURN_IF_ERROR(Expect(Token::Kind::kOutputEnd, "}}"));
          break;
        }
        case Token::Kind::kBlockBegin: {
          const std::string& name = Peek(1).text;
          if (std::find(ends.begin(), ends.end(), name) != ends.end()) {
            return block;
          }
          TERMINUS_RETURN_IF_ERROR(ParseStatement(*statement));
          break;
        }
        case Token::Kind::kEnd:
          if (ends.size() > 0) return Expected(absl::StrCat("{% ", *(ends.end() - 1), " %}"));
          return block;
        default:
          return Error(absl::StrCat("unexpected ", Name(Peek())));
      }
      block.push_back(std::move(statement));
    }
  }

  absl::Status EndTag() { return Expect(Token::Kind::kBlockEnd, "%}"); }

  // {% name %}, which ParseBlock has seen.
  absl::Status TakeTag() {
    Take();
    Take();
    return EndTag();
  }

  absl::Status ParseStatement(Statement& statement) {
    Take();
    TERMINUS_ASSIGN_OR_RETURN(const std::string name, ExpectName("a statement"));
    if (name == "if") return ParseIf(statement);
    if (name == "for") return ParseFor(statement);
    if (name == "set") return ParseSet(statement);
    if (name == "break" || name == "continue") {
      statement.kind = name == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue;
      return loops_ > 0 ? EndTag() : Error(absl::StrCat("{% ", name, " %} outside of a loop"));
    }
    if (name == "generation") {
      // Marks what the assistant says, for training; here it is what is inside.
      TERMINUS_RETURN_IF_ERROR(EndTag());
      statement.kind = Statement::Kind::kIf;
      statement.branches.emplace_back();
      TERMINUS_ASSIGN_OR_RETURN(statement.branches[0].body, ParseBlock({"endgeneration"}));
      return TakeTag();
    }
    return Error(absl::StrCat("{% ", name, " %} is not supported, expected if, for, set, break, ",
                              "continue or generation"));
  }

  absl::Status ParseIf(Statement& statement) {
    statement.kind = Statement::Kind::kIf;
    while (true) {
      Statement::Branch& branch = statement.branches.emplace_back();
      TERMINUS_ASSIGN_OR_RETURN(branch.condition, ParseExpression());
      TERMINUS_RETURN_IF_ERROR(EndTag());
      TERMINUS_ASSIGN_OR_RETURN(branch.body, ParseBlock({"elif", "else", "endif"}));
      const std::string name = Peek(1).text;
      if (name == "elif") {
        Take();
        Take();
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
      TERMINUS_ASSIGN_OR_RETURN(statement.names.emplace_back(), ExpectName("a name"));
    } while (TakeOperator(","));
    if (!TakeName("in")) return Expected("'in'");
    TERMINUS_ASSIGN_OR_RETURN(statement.value, ParseOr());
    if (TakeName("if")) {
      TERMINUS_ASSIGN_OR_RETURN(statement.condition, ParseExpression());
    }
    TERMINUS_RETURN_IF_ERROR(EndTag());
    ++loops_;
    TERMINUS_ASSIGN_OR_RETURN(statement.body, ParseBlock({"else", "endfor"}));
    --loops_;
    const bool otherwise = Peek(1).text == "else";
    TERMINUS_RETURN_IF_ERROR(TakeTag());
    if (otherwise) {
      TERMINUS_ASSIGN_OR_RETURN(statement.otherwise, ParseBlock({"endfor"}));
      return TakeTag();
    }
    return absl::OkStatus();
  }

  absl::Status ParseSet(Statement& statement) {
    statement.kind = Statement::Kind::kSet;
    TERMINUS_ASSIGN_OR_RETURN(statement.names.emplace_back(), ExpectName("a name"));
    if (TakeOperator(".")) {
      TERMINUS_ASSIGN_OR_RETURN(statement.names.emplace_back(), ExpectName("a name"));
    }
    if (TakeOperator("=")) {
      TERMINUS_ASSIGN_OR_RETURN(statement.value, ParseExpression());
      return EndTag();
    }
    TERMINUS_RETURN_IF_ERROR(EndTag());
    TERMINUS_ASSIGN_OR_RETURN(statement.body, ParseBlock({"endset"}));
    return TakeTag();
  }

  // --- Expressions, the loosest binding first.

  absl::StatusOr<ExpressionPtr> ParseExpression() {
    const Depth depth(depth_);
    TERMINUS_RETURN_IF_ERROR(CheckDepth());
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr value, ParseOr());
    while (TakeName("if")) {
      ExpressionPtr condition = Make(Kind::kCondition);
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr test, ParseOr());
      ExpressionPtr otherwise;
      if (TakeName("else")) {
        TERMINUS_ASSIGN_OR_RETURN(otherwise, ParseExpression());
      }
      condition->children.push_back(std::move(value));
      condition->children.push_back(std::move(test));
      condition->children.push_back(std::move(otherwise));
      value = std::move(condition);
    }
    return value;
  }

  ExpressionPtr Binary(std::string op, ExpressionPtr left, ExpressionPtr right) const {
    ExpressionPtr made = Make(Kind::kBinary, std::move(op));
    made->children.push_back(std::move(left));
    made->children.push_back(std::move(right));
    return made;
  }

  absl::StatusOr<ExpressionPtr> ParseOr() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseAnd());
    while (TakeName("or")) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseAnd());
      left = Binary("or", std::move(left), std::move(right));
    }
    return left;
  }

  absl::StatusOr<ExpressionPtr> ParseAnd() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseNot());
    while (TakeName("and")) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseNot());
      left = Binary("and", std::move(left), std::move(right));
    }
    return left;
  }

  absl::StatusOr<ExpressionPtr> ParseNot() {
    if (!TakeName("not")) return ParseComparison();
    const Depth depth(depth_);
    TERMINUS_RETURN_IF_ERROR(CheckDepth());
    ExpressionPtr made = Make(Kind::kUnary, "not");
    TERMINUS_ASSIGN_OR_RETURN(made->children.emplace_back(), ParseNot());
    return made;
  }

  absl::StatusOr<ExpressionPtr> ParseComparison() {
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, ParseLeft({"+", "-"}, 0));
    while (true) {
      std::string op;
      for (const char* known : {"==", "!=", "<", ">", "<=", ">="}) {
        if (TakeOperator(known)) op = known;
      }
      if (op.empty() && TakeName("in")) op = "in";
      if (op.empty() && IsName("not") && Peek(1).text == "in") {
        Take();
        Take();
        op = "not in";
      }
      if (op.empty()) return left;
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, ParseLeft({"+", "-"}, 0));
      left = Binary(std::move(op), std::move(left), std::move(right));
    }
  }

  // Left-associative operators: sums over concatenations over products over unary ones.
  absl::StatusOr<ExpressionPtr> ParseLeft(std::initializer_list<const char*> operators, int level) {
    const auto tighter = [&]() -> absl::StatusOr<ExpressionPtr> {
      if (level == 0) return ParseLeft({"~"}, 1);
      if (level == 1) return ParseLeft({"*", "/", "//", "%"}, 2);
      return ParseUnary();
    };
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr left, tighter());
    while (true) {
      std::string op;
      for (const char* known : operators) {
        if (op.empty() && TakeOperator(known)) op = known;
      }
      if (op.empty()) return left;
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr right, tighter());
      left = Binary(std::move(op), std::move(left), std::move(right));
    }
  }

  absl::StatusOr<ExpressionPtr> ParseUnary() {
    for (const char* op : {"-", "+"}) {
      if (TakeOperator(op)) {
        const Depth depth(depth_);
        TERMINUS_RETURN_IF_ERROR(CheckDepth());
        ExpressionPtr made = Make(Kind::kUnary, op);
        TERMINUS_ASSIGN_OR_RETURN(made->children.emplace_back(), ParseUnary());
        return made;
      }
    }
    TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr value, ParsePrimary());
    return ParsePostfix(std::move(value));
  }

  absl::StatusOr<ExpressionPtr> ParsePrimary() {
    const Token token = Peek();
    ExpressionPtr made = Make(Kind::kLiteral);
    switch (token.kind) {
      case Token::Kind::kString:
        Take();
        made->value = Value(token.text);
        // Neighbours are one string, as in Python.
        while (Peek().kind == Token::Kind::kString) {
          made->value = Value(*made->value.string() + Take().text);
        }
        return made;
      case Token::Kind::kInteger: {
        int64_t value = 0;
        if (!absl::SimpleAtoi(token.text, &value)) return Error("the number is too large");
        Take();
        made->value = Value(value);
        return made;
      }
      case Token::Kind::kFloat: {
        double value = 0;
        if (!absl::SimpleAtod(token.text, &value)) return Expected("a number");
        Take();
        made->value = Value(value);
        return made;
      }
      case Token::Kind::kName:
        Take();
        if (token.text == "true" || token.text == "True") {
          made->value = Value(true);
        } else if (token.text == "false" || token.text == "False") {
          made->value = Value(false);
        } else if (token.text == "none" || token.text == "None") {
          made->value = Value(Value::None());
        } else {
          made->kind = Kind::kName;
          made->text = token.text;
        }
        return made;
      default:
        break;
    }
    if (TakeOperator("(")) {
      TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr inner, ParseExpression());
      TERMINUS_RETURN_IF_ERROR(ExpectOperator(")"));
      return inner;
    }
    if (TakeOperator("[")) {
      made->kind = Kind::kList;
      while (!IsOperator("]")) {
        TERMINUS_ASSIGN_OR_RETURN(made->children.emplace_back(), ParseExpression());
        if (!TakeOperator(",")) break;
      }
      TERMINUS_RETURN_IF_ERROR(ExpectOperator("]"));
      return made;
    }
    if (TakeOperator("{")) {
      made->kind = Kind::kDict;
      while (!IsOperator("}")) {
        TERMINUS_ASSIGN_OR_RETURN(made->children.emplace_back(), ParseExpression());
        TERMINUS_RETURN_IF_ERROR(ExpectOperator(":"));
        TERMINUS_ASSIGN_OR_RETURN(made->children.emplace_back(), ParseExpression());
        if (!TakeOperator(",")) break;
      }
      TERMINUS_RETURN_IF_ERROR(ExpectOperator("}"));
      return made;
    }
    return Expected("an expression");
  }

  absl::StatusOr<ExpressionPtr> ParsePostfix(ExpressionPtr value) {
    for (int links = 0;; ++links) {
      if (links > kMaxDepth) return Error(absl::StrCat("a chain longer than ", kMaxDepth));
      ExpressionPtr made;
      if (TakeOperator(".")) {
        made = Make(Kind::kAttribute);
        TERMINUS_ASSIGN_OR_RETURN(made->text, ExpectName("a name"));
        made->children.push_back(std::move(value));
        if (TakeOperator("(")) {
          made->kind = Kind::kCall;
          made->method = true;
          TERMINUS_RETURN_IF_ERROR(ParseArguments(*made));
        }
      } else if (TakeOperator("[")) {
        TERMINUS_ASSIGN_OR_RETURN(made, ParseSubscript(std::move(value)));
      } else if (IsOperator("(") && value->kind == Kind::kName) {
        Take();
        made = Make(Kind::kCall, value->text);
        TERMINUS_RETURN_IF_ERROR(ParseArguments(*made));
      } else if (TakeOperator("|")) {
        made = Make(Kind::kFilter);
        TERMINUS_ASSIGN_OR_RETURN(made->text, ExpectName("a filter"));
        made->children.push_back(std::move(value));
        if (TakeOperator("(")) TERMINUS_RETURN_IF_ERROR(ParseArguments(*made));
      } else if (TakeName("is")) {
        const bool negated = TakeName("not");
        made = Make(Kind::kTest);
        TERMINUS_ASSIGN_OR_RETURN(made->text, ExpectName("a test"));
        made->children.push_back(std::move(value));
        if (TakeOperator("(")) TERMINUS_RETURN_IF_ERROR(ParseArguments(*made));
        if (negated) {
          ExpressionPtr inverse = Make(Kind::kUnary, "not");
          inverse->children.push_back(std::move(made));
          made = std::move(inverse);
        }
      } else {
        return value;
      }
      value = std::move(made);
    }
  }

  // Behind "(".
  absl::Status ParseArguments(Expression& call) {
    while (!IsOperator(")")) {
      if (Peek().kind == Token::Kind::kName && Peek(1).kind == Token::Kind::kOperator &&
          Peek(1).text == "=") {
        const std::string name = Take().text;
        Take();
        TERMINUS_ASSIGN_OR_RETURN(ExpressionPtr value, ParseExpression());
        call.named.emplace_back(name, std::move(value));
      } else {
        TERMINUS_ASSIGN_OR_RETURN(call.children.emplace_back(), ParseExpression());
      }
      if (!TakeOperator(",")) break;
    }
    return ExpectOperator(")");
  }

  // Behind "[": an index or a slice.
  absl::StatusOr<ExpressionPtr> ParseSubscript(ExpressionPtr value) {
    ExpressionPtr made = Make(Kind::kItem);
    made->children.push_back(std::move(value));
    std::vector<ExpressionPtr> parts(1);
    while (!IsOperator("]")) {
      if (TakeOperator(":")) {
        parts.emplace_back();
        if (parts.size() > 3) return Expected("']'");
      } else {
        if (parts.back() != nullptr) return Expected("']' or ':'");
        TERMINUS_ASSIGN_OR_RETURN(parts.back(), ParseExpression());
      }
    }
    TERMINUS_RETURN_IF_ERROR(ExpectOperator("]"));
    if (parts.size() == 1 && parts[0] == nullptr) return Expected("an index");
    if (parts.size() > 1) {
      made->kind = Kind::kSlice;
      parts.resize(3);
    }
    for (ExpressionPtr& part : parts) made->children.push_back(std::move(part));
    return made;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace

absl::StatusOr<Block> Parse(absl::string_view source) {
  TERMINUS_ASSIGN_OR_RETURN(std::vector<Token> tokens, Lex(source));
  return Parser(std::move(tokens)).Run();
}

}  // namespace terminus::chat
