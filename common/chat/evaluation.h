#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/chat/arguments.h"
#include "common/chat/ast.h"
#include "common/chat/context.h"
#include "common/chat/loop.h"
#include "common/chat/objects.h"
#include "common/chat/value.h"

namespace terminus::chat {

// A frame while it runs: the values of its variables.
struct Scope {
  Scope(const Frame* of, Scope* around) : frame(of), parent(around), slots(of->names.size()) {}

  const Frame* const frame;
  Scope* const parent;
  std::vector<absl::optional<Value>> slots;
  // A macro was made inside and may be called later: the scope stays until the run ends.
  bool kept = false;
};

// One run of a template; evaluator.h is the way to it. Statements are run in run_statements.cc,
// expressions computed in compute_expressions.cc, calls made in make_calls.cc.
class Evaluation {
 public:
  Evaluation(const Dict& variables, Context& context) : variables_(variables), context_(context) {}

  absl::StatusOr<Text> Run(const Template& parsed);

 private:
  // What a block asks of the loop around it.
  enum class Flow { kOn, kBreak, kContinue };
  class Depth;

  // --- Frames.
  // Gives the variables of a scope the values that they begin with.
  void Enter(Scope& scope);
  absl::optional<Value>& SlotOf(Scope& scope, const Variable& variable);
  // A scope that is kept after its block when a macro needs it.
  std::unique_ptr<Scope> NewScope(const Frame& frame, Scope& parent);
  void Leave(std::unique_ptr<Scope> scope);
  absl::StatusOr<Macro*> NewMacro(const MacroDefinition& definition, Scope& scope);

  // --- Statements.
  absl::StatusOr<Flow> RunBlock(const Block& block, Scope& scope, TextBuilder& out);
  absl::StatusOr<Flow> RunStatement(const Statement& statement, Scope& scope, TextBuilder& out);
  absl::StatusOr<Flow> RunOutput(const Statement& statement, Scope& scope, TextBuilder& out);
  absl::StatusOr<Flow> RunIf(const Statement& statement, Scope& scope, TextBuilder& out);
  absl::StatusOr<Flow> RunFor(const Statement& loop, Scope& scope, TextBuilder& out);
  absl::StatusOr<Flow> RunLoop(const Statement& loop, const Value& elements, int64_t depth0,
                               Scope& scope, TextBuilder& out);
  absl::StatusOr<bool> RunIterations(const Statement& loop, const Value& elements, int64_t depth0,
                                     Scope& outer, Scope& scope, TextBuilder& out);
  absl::StatusOr<Value> RecurseLoop(const Statement& loop, const Value& elements, int64_t depth0,
                                    Scope& scope);
  absl::StatusOr<Value> ElementsFor(const Statement& loop, const Value& elements, Scope& scope);
  absl::StatusOr<Flow> RunSet(const Statement& statement, Scope& scope);
  // A filter or set block: sets `value` to the body's text through the filter.
  absl::StatusOr<Flow> RunCaptured(const Statement& statement, Scope& scope, Value& value);
  absl::StatusOr<Flow> RunWith(const Statement& statement, Scope& scope, TextBuilder& out);
  absl::Status RunCall(const Statement& statement, Scope& scope, TextBuilder& out);
  absl::Status WriteText(const Value& value, TextBuilder& out);
  absl::Status CheckNamespaces(const Expression& target, Scope& scope);
  absl::Status Assign(const Expression& target, const Value& value, Scope& scope);

  // --- Expressions.
  absl::StatusOr<Value> Compute(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> Dispatch(const Expression& expression, Scope& scope);
  absl::StatusOr<List> ComputeAll(const std::vector<ExpressionPtr>& expressions, Scope& scope);
  absl::StatusOr<Value> ComputeName(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeDict(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeItem(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeSlice(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeFilter(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeTest(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeUnary(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeBinary(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeComparison(const Expression& expression, Scope& scope);
  absl::StatusOr<Value> ComputeCondition(const Expression& expression, Scope& scope);

  // --- Calls.
  absl::StatusOr<Arguments> ComputeArguments(const Expression& expression, Scope& scope);
  // `caller` is what a call block passes to the macro.
  absl::StatusOr<Value> ComputeCall(const Expression& expression, Macro* caller, Scope& scope);
  absl::StatusOr<Value> CallValue(const Value& callee, Arguments arguments);
  absl::StatusOr<Value> CallMacro(const Macro& macro, Arguments arguments);
  absl::Status BindParameters(const MacroDefinition& definition, Arguments& arguments,
                              Scope& scope);
  absl::Status BindSpecial(const MacroDefinition& definition, bool has_caller, Arguments& arguments,
                           Scope& scope);
  absl::Status Raise(const Arguments& arguments);

  // Names the line of an error that has none yet.
  absl::Status At(int line, absl::Status status);

  const Dict& variables_;
  Context& context_;
  Dict functions_;
  // The text that a filter block's innermost filter is applied to.
  const Value* captured_ = nullptr;
  int depth_ = 0;
  bool located_ = false;
  std::vector<std::unique_ptr<Scope>> kept_;
};

// Counts how deep the run is inside itself, as long as it lives.
class Evaluation::Depth {
 public:
  explicit Depth(Evaluation& evaluation) : depth_(evaluation.depth_) { ++depth_; }
  ~Depth() { --depth_; }
  absl::Status Check() const;

 private:
  int& depth_;
};

}  // namespace terminus::chat
