#include "common/chat/scopes.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/symbols.h"
#include "common/chat/walk.h"

namespace terminus::chat {
namespace {

absl::Status ErrorAt(int line, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", message));
}

// Whether the name is read somewhere inside before it is assigned to.
template <typename Part>
bool IsRead(const Part& part, absl::string_view name) {
  bool read = false;
  bool assigned = false;
  Walk(part, {.expression = [&](const Expression& expression, Use use) {
         if (expression.kind != Expression::Kind::kName || expression.text != name) return;
         if (use != Use::kLoad) {
           assigned = true;
         } else if (!assigned) {
           read = true;
         }
       }});
  return read;
}

bool AssignsToLoop(const Statement& loop) {
  bool assigns = false;
  Walk(loop, {.expression = [&](const Expression& expression, Use use) {
         assigns |= expression.kind == Expression::Kind::kName && use == Use::kStore &&
                    expression.text == "loop";
       }});
  return assigns;
}

absl::Status Place(Block& block, const Symbols& symbols, bool optional);

// Gives the names of an expression their places in a frame whose names are all collected.
// `optional` is as in Expression.
absl::Status Place(Expression& expression, const Symbols& symbols, bool optional = false) {
  expression.optional = optional;
  if (expression.kind == Expression::Kind::kName || expression.kind == Expression::Kind::kMember) {
    const auto found = symbols.Find(expression.text);
    if (!found.has_value()) {
      return ErrorAt(expression.line, absl::StrCat("'", expression.text,
                                                   "' has no place here, as in Jinja: "
                                                   "use it in the body, too"));
    }
    expression.variable = *found;
  }
  const bool inner = optional || expression.kind == Expression::Kind::kCondition;
  const auto place = [&](const ExpressionPtr& part) {
    return part == nullptr ? absl::OkStatus() : Place(*part, symbols, inner);
  };
  for (const ExpressionPtr& child : expression.children) TERMINUS_RETURN_IF_ERROR(place(child));
  for (const ExpressionPtr& child : expression.arguments) TERMINUS_RETURN_IF_ERROR(place(child));
  for (const auto& named : expression.named) TERMINUS_RETURN_IF_ERROR(place(named.second));
  TERMINUS_RETURN_IF_ERROR(place(expression.more_arguments));
  return place(expression.more_named);
}

absl::Status PlaceMacro(MacroDefinition& macro, const Symbols& around) {
  Symbols symbols(&macro.frame, &around);
  const auto collect = [&] {
    for (const ExpressionPtr& parameter : macro.parameters) {
      symbols.Assign(*parameter, Use::kParameter);
    }
    for (const ExpressionPtr& value : macro.defaults) symbols.Read(*value);
    symbols.Run(macro.body);
  };
  collect();
  const auto takes = [&](absl::string_view name) {
    for (size_t i = 0; i < macro.parameters.size(); ++i) {
      if (macro.parameters[i]->text == name) return static_cast<int>(i);
    }
    return -1;
  };
  macro.uses_caller = IsRead(macro.body, "caller");
  if (macro.uses_caller) {
    const int index = takes("caller");
    const auto first_default =
        static_cast<int>(macro.parameters.size()) - static_cast<int>(macro.defaults.size());
    if (index >= 0 && index < first_default) {
      return ErrorAt(macro.line, "a parameter 'caller' needs a default");
    }
    if (index < 0) macro.caller_slot = symbols.DeclareParameter("caller").slot;
  }
  macro.uses_named = IsRead(macro.body, "kwargs") && takes("kwargs") < 0;
  if (macro.uses_named) macro.named_slot = symbols.DeclareParameter("kwargs").slot;
  macro.uses_more = IsRead(macro.body, "varargs") && takes("varargs") < 0;
  if (macro.uses_more) macro.more_slot = symbols.DeclareParameter("varargs").slot;
  collect();
  symbols.Finish();
  for (const ExpressionPtr& parameter : macro.parameters) {
    TERMINUS_RETURN_IF_ERROR(Place(*parameter, symbols));
  }
  for (const ExpressionPtr& value : macro.defaults) {
    TERMINUS_RETURN_IF_ERROR(Place(*value, symbols));
  }
  return Place(macro.body, symbols, false);
}

absl::Status PlaceFor(Statement& loop, const Symbols& around, bool optional) {
  if (AssignsToLoop(loop)) return ErrorAt(loop.line, "'loop' cannot be assigned to in a loop");
  Symbols body(&loop.frame, &around);
  loop.uses_loop = loop.recursive || IsRead(loop.body, "loop");
  if (loop.uses_loop) loop.loop_slot = body.DeclareParameter("loop").slot;
  body.Assign(*loop.target, Use::kParameter);
  body.Run(loop.body);
  body.Finish();
  TERMINUS_RETURN_IF_ERROR(Place(*loop.target, body));
  TERMINUS_RETURN_IF_ERROR(Place(*loop.value, around, optional));
  TERMINUS_RETURN_IF_ERROR(Place(loop.body, body, false));
  if (loop.condition != nullptr) {
    Symbols condition(&loop.condition_frame, &around);
    condition.Assign(*loop.condition_target, Use::kParameter);
    condition.Read(*loop.condition);
    condition.Finish();
    TERMINUS_RETURN_IF_ERROR(Place(*loop.condition_target, condition));
    TERMINUS_RETURN_IF_ERROR(Place(*loop.condition, condition));
  }
  Symbols otherwise(&loop.otherwise_frame, &around);
  otherwise.Run(loop.otherwise);
  otherwise.Finish();
  return Place(loop.otherwise, otherwise, false);
}

absl::Status PlaceWith(Statement& with, const Symbols& around, bool optional) {
  Symbols symbols(&with.frame, &around);
  for (const ExpressionPtr& target : with.targets) symbols.Assign(*target, Use::kParameter);
  symbols.Run(with.body);
  symbols.Finish();
  for (const ExpressionPtr& target : with.targets) {
    TERMINUS_RETURN_IF_ERROR(Place(*target, symbols));
  }
  for (const ExpressionPtr& value : with.values) {
    TERMINUS_RETURN_IF_ERROR(Place(*value, around, optional));
  }
  return Place(with.body, symbols, false);
}

// The body of a filter or set block.
absl::Status PlaceCaptured(Statement& statement, const Symbols& around) {
  Symbols symbols(&statement.frame, &around);
  symbols.Run(statement.body);
  // Jinja leaves out the filter of a set block.
  if (statement.kind == Statement::Kind::kFilter) symbols.Read(*statement.value);
  symbols.Finish();
  TERMINUS_RETURN_IF_ERROR(Place(statement.body, symbols, false));
  return statement.value == nullptr ? absl::OkStatus() : Place(*statement.value, symbols);
}

absl::Status Place(Statement& statement, const Symbols& symbols, bool optional) {
  switch (statement.kind) {
    case Statement::Kind::kOutput:
      for (const ExpressionPtr& value : statement.values) {
        TERMINUS_RETURN_IF_ERROR(Place(*value, symbols, optional));
      }
      return absl::OkStatus();
    case Statement::Kind::kIf:
      for (Statement::Branch& branch : statement.branches) {
        if (branch.condition != nullptr) {
          TERMINUS_RETURN_IF_ERROR(Place(*branch.condition, symbols, true));
        }
        TERMINUS_RETURN_IF_ERROR(Place(branch.body, symbols, true));
      }
      return absl::OkStatus();
    case Statement::Kind::kFor:
      return PlaceFor(statement, symbols, optional);
    case Statement::Kind::kSet:
      TERMINUS_RETURN_IF_ERROR(Place(*statement.target, symbols));
      return statement.captures ? PlaceCaptured(statement, symbols)
                                : Place(*statement.value, symbols, optional);
    case Statement::Kind::kMacro:
      TERMINUS_RETURN_IF_ERROR(Place(*statement.target, symbols));
      return PlaceMacro(*statement.macro, symbols);
    case Statement::Kind::kCall:
      TERMINUS_RETURN_IF_ERROR(PlaceMacro(*statement.macro, symbols));
      return statement.value == nullptr ? absl::OkStatus()
                                        : Place(*statement.value, symbols, optional);
    case Statement::Kind::kFilter:
      return PlaceCaptured(statement, symbols);
    case Statement::Kind::kWith:
      return PlaceWith(statement, symbols, optional);
    case Statement::Kind::kBreak:
    case Statement::Kind::kContinue:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status Place(Block& block, const Symbols& symbols, bool optional) {
  for (const auto& statement : block) {
    TERMINUS_RETURN_IF_ERROR(Place(*statement, symbols, optional));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status PlaceVariables(Template& parsed) {
  Symbols symbols(&parsed.frame, nullptr);
  symbols.Run(parsed.body);
  symbols.Finish();
  return Place(parsed.body, symbols, false);
}

}  // namespace terminus::chat
