#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/evaluation.h"
#include "common/chat/iteration.h"
#include "common/chat/represent.h"

namespace terminus::chat {

absl::StatusOr<Evaluation::Flow> Evaluation::RunBlock(const Block& block, Scope& scope,
                                                      TextBuilder& out) {
  const Depth depth(*this);
  TERMINUS_RETURN_IF_ERROR(depth.Check());
  for (const auto& statement : block) {
    TERMINUS_RETURN_IF_ERROR(At(statement->line, context_.Step()));
    absl::StatusOr<Flow> flow = RunStatement(*statement, scope, out);
    if (!flow.ok()) return At(statement->line, flow.status());
    if (*flow != Flow::kOn) return flow;
  }
  return Flow::kOn;
}

absl::StatusOr<Evaluation::Flow> Evaluation::RunStatement(const Statement& statement, Scope& scope,
                                                          TextBuilder& out) {
  switch (statement.kind) {
    case Statement::Kind::kOutput:
      return RunOutput(statement, scope, out);
    case Statement::Kind::kIf:
      return RunIf(statement, scope, out);
    case Statement::Kind::kFor:
      return RunFor(statement, scope, out);
    case Statement::Kind::kSet:
      return RunSet(statement, scope);
    case Statement::Kind::kMacro: {
      TERMINUS_ASSIGN_OR_RETURN(Macro* const macro, NewMacro(*statement.macro, scope));
      TERMINUS_RETURN_IF_ERROR(Assign(*statement.target, Value(macro), scope));
      return Flow::kOn;
    }
    case Statement::Kind::kCall:
      TERMINUS_RETURN_IF_ERROR(RunCall(statement, scope, out));
      return Flow::kOn;
    case Statement::Kind::kFilter: {
      Value text;
      TERMINUS_ASSIGN_OR_RETURN(const Flow flow, RunCaptured(statement, scope, text));
      if (flow == Flow::kOn) TERMINUS_RETURN_IF_ERROR(WriteText(text, out));
      return flow;
    }
    case Statement::Kind::kWith:
      return RunWith(statement, scope, out);
    case Statement::Kind::kBreak:
      return Flow::kBreak;
    case Statement::Kind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kOn;
}

absl::StatusOr<Evaluation::Flow> Evaluation::RunOutput(const Statement& statement, Scope& scope,
                                                       TextBuilder& out) {
  for (const ExpressionPtr& expression : statement.values) {
    TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*expression, scope));
    TERMINUS_RETURN_IF_ERROR(At(expression->line, AppendText(context_, value, out)));
  }
  return Flow::kOn;
}

absl::StatusOr<Evaluation::Flow> Evaluation::RunIf(const Statement& statement, Scope& scope,
                                                   TextBuilder& out) {
  for (const Statement::Branch& branch : statement.branches) {
    bool holds = true;
    if (branch.condition != nullptr) {
      TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*branch.condition, scope));
      holds = value.Truthy();
    }
    if (holds) return RunBlock(branch.body, scope, out);
  }
  return Flow::kOn;
}

absl::StatusOr<Evaluation::Flow> Evaluation::RunFor(const Statement& loop, Scope& scope,
                                                    TextBuilder& out) {
  TERMINUS_ASSIGN_OR_RETURN(const Value elements, Compute(*loop.value, scope));
  if (!loop.recursive) return RunLoop(loop, elements, 0, scope, out);
  TERMINUS_ASSIGN_OR_RETURN(const Value text, RecurseLoop(loop, elements, 0, scope));
  TERMINUS_RETURN_IF_ERROR(WriteText(text, out));
  return Flow::kOn;
}

absl::StatusOr<Value> Evaluation::RecurseLoop(const Statement& loop, const Value& elements,
                                              int64_t depth0, Scope& scope) {
  const Depth depth(*this);
  TERMINUS_RETURN_IF_ERROR(depth.Check());
  TextBuilder out;
  TERMINUS_RETURN_IF_ERROR(RunLoop(loop, elements, depth0, scope, out).status());
  return Value(out.Take());
}

absl::StatusOr<Evaluation::Flow> Evaluation::RunLoop(const Statement& loop, const Value& elements,
                                                     int64_t depth0, Scope& scope,
                                                     TextBuilder& out) {
  std::unique_ptr<Scope> body = NewScope(loop.frame, scope);
  const absl::StatusOr<bool> ran = RunIterations(loop, elements, depth0, scope, *body, out);
  // A macro from inside sees nothing of the loop afterwards.
  for (absl::optional<Value>& slot : body->slots) slot.reset();
  Leave(std::move(body));
  if (!ran.ok()) return ran.status();
  if (*ran || loop.otherwise.empty()) return Flow::kOn;
  std::unique_ptr<Scope> otherwise = NewScope(loop.otherwise_frame, scope);
  Enter(*otherwise);
  absl::StatusOr<Flow> flow = RunBlock(loop.otherwise, *otherwise, out);
  Leave(std::move(otherwise));
  return flow;
}

// Whether some iteration ran to its end: as in Jinja, one that a break or continue cuts short does
// not count, and the else block runs.
absl::StatusOr<bool> Evaluation::RunIterations(const Statement& loop, const Value& elements,
                                               int64_t depth0, Scope& outer, Scope& scope,
                                               TextBuilder& out) {
  TERMINUS_ASSIGN_OR_RETURN(const Value source, ElementsFor(loop, elements, outer));
  TERMINUS_ASSIGN_OR_RETURN(Cursor cursor, Cursor::Over(source));
  Loop* state = nullptr;
  if (loop.uses_loop) {
    const absl::StatusOr<int64_t> length = LengthOf(source);
    Loop::Recurse recurse;
    if (loop.recursive) {
      recurse = [this, &loop, &outer](const Value& inner, int64_t inner_depth) {
        return RecurseLoop(loop, inner, inner_depth, outer);
      };
    }
    TERMINUS_ASSIGN_OR_RETURN(
        state,
        context_.Make<Loop>(cursor, length.ok() ? absl::make_optional(*length) : absl::nullopt,
                            std::move(recurse), depth0));
    scope.slots[static_cast<size_t>(loop.loop_slot)] = Value(state);
  }
  bool ran = false;
  Value element;
  while (true) {
    TERMINUS_ASSIGN_OR_RETURN(const bool more, state != nullptr ? state->Next(context_, element)
                                                                : cursor.Next(context_, element));
    if (!more) return ran;
    TERMINUS_RETURN_IF_ERROR(Assign(*loop.target, element, scope));
    Enter(scope);
    TERMINUS_ASSIGN_OR_RETURN(const Flow flow, RunBlock(loop.body, scope, out));
    if (flow == Flow::kBreak) return ran;
    ran = ran || flow == Flow::kOn;
  }
}

// What a loop goes through: with a condition, the elements that it lets through, each looked at
// only when its turn comes.
absl::StatusOr<Value> Evaluation::ElementsFor(const Statement& loop, const Value& elements,
                                              Scope& scope) {
  if (loop.condition == nullptr) return elements;
  TERMINUS_ASSIGN_OR_RETURN(const Cursor source, Cursor::Over(elements));
  auto frame = std::make_shared<Scope>(&loop.condition_frame, &scope);
  const auto next = [this, &loop, frame, cursor = source,
                     entered = false](Value& element) mutable -> absl::StatusOr<bool> {
    if (!entered) Enter(*frame);
    entered = true;
    while (true) {
      TERMINUS_ASSIGN_OR_RETURN(const bool more, cursor.Next(context_, element));
      if (!more) return false;
      TERMINUS_RETURN_IF_ERROR(Assign(*loop.condition_target, element, *frame));
      TERMINUS_ASSIGN_OR_RETURN(const Value holds, Compute(*loop.condition, *frame));
      if (holds.Truthy()) return true;
    }
  };
  return MakeIterator(context_, source, next);
}

absl::StatusOr<Evaluation::Flow> Evaluation::RunSet(const Statement& statement, Scope& scope) {
  Value value;
  if (statement.captures) {
    TERMINUS_ASSIGN_OR_RETURN(const Flow flow, RunCaptured(statement, scope, value));
    if (flow != Flow::kOn) return flow;
  }
  TERMINUS_RETURN_IF_ERROR(CheckNamespaces(*statement.target, scope));
  if (!statement.captures) {
    TERMINUS_ASSIGN_OR_RETURN(value, Compute(*statement.value, scope));
  }
  TERMINUS_RETURN_IF_ERROR(Assign(*statement.target, value, scope));
  return Flow::kOn;
}

absl::StatusOr<Evaluation::Flow> Evaluation::RunCaptured(const Statement& statement, Scope& scope,
                                                         Value& value) {
  std::unique_ptr<Scope> body = NewScope(statement.frame, scope);
  Enter(*body);
  TextBuilder text;
  absl::StatusOr<Flow> flow = RunBlock(statement.body, *body, text);
  if (flow.ok() && *flow == Flow::kOn) {
    value = Value(text.Take());
    if (statement.value != nullptr) {
      const Value captured = value;
      const Value* const around = std::exchange(captured_, &captured);
      const absl::StatusOr<Value> filtered = Compute(*statement.value, *body);
      captured_ = around;
      if (!filtered.ok()) return filtered.status();
      value = *filtered;
    }
  }
  Leave(std::move(body));
  return flow;
}

absl::StatusOr<Evaluation::Flow> Evaluation::RunWith(const Statement& statement, Scope& scope,
                                                     TextBuilder& out) {
  std::unique_ptr<Scope> body = NewScope(statement.frame, scope);
  Enter(*body);
  for (size_t i = 0; i < statement.targets.size(); ++i) {
    TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*statement.values[i], scope));
    TERMINUS_RETURN_IF_ERROR(Assign(*statement.targets[i], value, *body));
  }
  absl::StatusOr<Flow> flow = RunBlock(statement.body, *body, out);
  Leave(std::move(body));
  return flow;
}

absl::Status Evaluation::RunCall(const Statement& statement, Scope& scope, TextBuilder& out) {
  TERMINUS_ASSIGN_OR_RETURN(Macro* const body, NewMacro(*statement.macro, scope));
  if (statement.value == nullptr) {
    TERMINUS_ASSIGN_OR_RETURN(const Value text, CallMacro(*body, {}));
    return WriteText(text, out);
  }
  TERMINUS_ASSIGN_OR_RETURN(const Value text, ComputeCall(*statement.value, body, scope));
  return WriteText(text, out);
}

// Of what must be a string already.
absl::Status Evaluation::WriteText(const Value& value, TextBuilder& out) {
  if (value.text() == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("the block gives ", value.TypeName(), ", expected a string"));
  }
  return AppendText(context_, value, out);
}

absl::Status Evaluation::CheckNamespaces(const Expression& target, Scope& scope) {
  for (const ExpressionPtr& child : target.children) {
    TERMINUS_RETURN_IF_ERROR(CheckNamespaces(*child, scope));
  }
  if (target.kind != Expression::Kind::kMember) return absl::OkStatus();
  const absl::optional<Value>& object = SlotOf(scope, target.variable);
  if (object.has_value() && As<Namespace>(*object) != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "'", target.text, "' is no namespace, expected one to set '", target.attribute, "' of"));
}

absl::Status Evaluation::Assign(const Expression& target, const Value& value, Scope& scope) {
  if (target.kind == Expression::Kind::kName) {
    SlotOf(scope, target.variable) = value;
    return absl::OkStatus();
  }
  if (target.kind == Expression::Kind::kMember) {
    if (absl::StartsWith(target.attribute, "_")) {
      return absl::InvalidArgumentError("a namespace's member begins with an underscore");
    }
    As<Namespace>(*SlotOf(scope, target.variable))->members.Set(target.attribute, value);
    return absl::OkStatus();
  }
  TERMINUS_ASSIGN_OR_RETURN(const List parts, Collect(context_, value));
  if (parts.size() != target.children.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected ", target.children.size(), " parts to assign, not ", parts.size()));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    TERMINUS_RETURN_IF_ERROR(Assign(*target.children[i], parts[i], scope));
  }
  return absl::OkStatus();
}

}  // namespace terminus::chat
