#include "common/chat/walk.h"

namespace terminus::chat {
namespace {

void WalkIf(const ExpressionPtr& expression, Use use, const Visitor& visitor) {
  if (expression != nullptr) Walk(*expression, use, visitor);
}

void WalkAll(const std::vector<ExpressionPtr>& expressions, Use use, const Visitor& visitor) {
  for (const ExpressionPtr& expression : expressions) WalkIf(expression, use, visitor);
}

}  // namespace

void Walk(const Expression& expression, Use use, const Visitor& visitor) {
  if (visitor.expression) visitor.expression(expression, use);
  if (expression.kind == Expression::Kind::kCondition) {
    // The condition stands first in Jinja's node.
    WalkIf(expression.children[1], use, visitor);
    WalkIf(expression.children[0], use, visitor);
    WalkIf(expression.children[2], use, visitor);
  } else {
    WalkAll(expression.children, use, visitor);
  }
  WalkAll(expression.arguments, Use::kLoad, visitor);
  for (const auto& [name, value] : expression.named) WalkIf(value, Use::kLoad, visitor);
  WalkIf(expression.more_arguments, Use::kLoad, visitor);
  WalkIf(expression.more_named, Use::kLoad, visitor);
}

void Walk(const MacroDefinition& macro, const Visitor& visitor) {
  WalkAll(macro.parameters, Use::kParameter, visitor);
  WalkAll(macro.defaults, Use::kLoad, visitor);
  Walk(macro.body, visitor);
}

void Walk(const Statement& statement, const Visitor& visitor) {
  if (visitor.statement) visitor.statement(statement);
  switch (statement.kind) {
    case Statement::Kind::kOutput:
      WalkAll(statement.values, Use::kLoad, visitor);
      break;
    case Statement::Kind::kIf:
      for (const Statement::Branch& branch : statement.branches) {
        WalkIf(branch.condition, Use::kLoad, visitor);
        Walk(branch.body, visitor);
      }
      break;
    case Statement::Kind::kFor:
      WalkIf(statement.target, Use::kStore, visitor);
      WalkIf(statement.value, Use::kLoad, visitor);
      Walk(statement.body, visitor);
      Walk(statement.otherwise, visitor);
      WalkIf(statement.condition, Use::kLoad, visitor);
      break;
    case Statement::Kind::kSet:
      WalkIf(statement.target, Use::kStore, visitor);
      WalkIf(statement.value, Use::kLoad, visitor);
      Walk(statement.body, visitor);
      break;
    case Statement::Kind::kMacro:
      Walk(*statement.macro, visitor);
      break;
    case Statement::Kind::kCall:
      WalkIf(statement.value, Use::kLoad, visitor);
      Walk(*statement.macro, visitor);
      break;
    case Statement::Kind::kFilter:
      Walk(statement.body, visitor);
      WalkIf(statement.value, Use::kLoad, visitor);
      break;
    case Statement::Kind::kWith:
      WalkAll(statement.targets, Use::kParameter, visitor);
      WalkAll(statement.values, Use::kLoad, visitor);
      Walk(statement.body, visitor);
      break;
    case Statement::Kind::kBreak:
    case Statement::Kind::kContinue:
      break;
  }
}

void Walk(const Block& block, const Visitor& visitor) {
  for (const auto& statement : block) Walk(*statement, visitor);
}

}  // namespace terminus::chat
