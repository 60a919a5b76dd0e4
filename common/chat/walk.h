#pragma once

#include <functional>

#include "common/chat/ast.h"

// Going through a parsed template.
namespace terminus::chat {

// What an expression is: a value to read, a target that is assigned to, or a parameter.
enum class Use { kLoad, kStore, kParameter };

// Called for an expression before its parts, and for a statement before its parts. Each may be
// empty.
struct Visitor {
  std::function<void(const Expression&, Use)> expression;
  std::function<void(const Statement&)> statement;
};

// Goes through all parts, in the order of Jinja's nodes.
void Walk(const Expression& expression, Use use, const Visitor& visitor);
void Walk(const Statement& statement, const Visitor& visitor);
void Walk(const Block& block, const Visitor& visitor);
void Walk(const MacroDefinition& macro, const Visitor& visitor);

}  // namespace terminus::chat
