#include "common/chat/evaluator.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/evaluation.h"
#include "common/chat/functions.h"

namespace terminus::chat {
namespace {

// Blocks and expressions inside each other, through macros too: some kilobytes of stack each.
constexpr int kMaxRunDepth = 1000;

}  // namespace

absl::Status Evaluation::Depth::Check() const {
  return depth_ > kMaxRunDepth
             ? absl::InvalidArgumentError("macros or loops call each other too deep")
             : absl::OkStatus();
}

absl::Status Evaluation::At(int line, absl::Status status) {
  if (status.ok() || located_) return status;
  located_ = true;
  return absl::Status(status.code(), absl::StrCat("line ", line, ": ", status.message()));
}

absl::StatusOr<Text> Evaluation::Run(const Template& parsed) {
  for (const absl::string_view name : FunctionNames()) {
    TERMINUS_ASSIGN_OR_RETURN(Function* const function, context_.Make<Function>(std::string(name)));
    functions_.Set(name, Value(function));
  }
  Scope root(&parsed.frame, nullptr);
  Enter(root);
  TextBuilder out;
  TERMINUS_RETURN_IF_ERROR(RunBlock(parsed.body, root, out).status());
  return out.Take();
}

absl::optional<Value>& Evaluation::SlotOf(Scope& scope, const Variable& variable) {
  Scope* at = &scope;
  while (at->frame->level != variable.level) at = at->parent;
  return at->slots[static_cast<size_t>(variable.slot)];
}

void Evaluation::Enter(Scope& scope) {
  for (size_t slot = 0; slot < scope.slots.size(); ++slot) {
    const Frame::Load& load = scope.frame->loads[slot];
    absl::optional<Value>& value = scope.slots[slot];
    switch (load.action) {
      case Frame::Load::Action::kParameter:
        break;
      case Frame::Load::Action::kUndefined:
        value.reset();
        break;
      case Frame::Load::Action::kAlias:
        value = SlotOf(scope, load.from);
        break;
      case Frame::Load::Action::kResolve: {
        const std::string& name = scope.frame->names[slot];
        const Value* found = variables_.Find(name);
        if (found == nullptr) found = functions_.Find(name);
        value = found == nullptr ? absl::nullopt : absl::make_optional(*found);
        break;
      }
    }
  }
}

std::unique_ptr<Scope> Evaluation::NewScope(const Frame& frame, Scope& parent) {
  return std::make_unique<Scope>(&frame, &parent);
}

void Evaluation::Leave(std::unique_ptr<Scope> scope) {
  if (scope->kept) kept_.push_back(std::move(scope));
}

absl::StatusOr<Macro*> Evaluation::NewMacro(const MacroDefinition& definition, Scope& scope) {
  for (Scope* around = &scope; around != nullptr; around = around->parent) around->kept = true;
  return context_.Make<Macro>(&definition, &scope);
}

absl::StatusOr<Text> Evaluate(const Template& parsed, const Dict& variables, Context& context) {
  return Evaluation(variables, context).Run(parsed);
}

}  // namespace terminus::chat
