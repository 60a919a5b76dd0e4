#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/attributes.h"
#include "common/chat/evaluation.h"
#include "common/chat/functions.h"
#include "common/chat/iteration.h"
#include "common/chat/represent.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

constexpr size_t kMaxRefusalBytes = 1000;

absl::Status Error(absl::string_view message) { return absl::InvalidArgumentError(message); }

// Takes an argument out by its name.
absl::optional<Value> TakeNamed(Arguments& arguments, absl::string_view name) {
  for (auto at = arguments.named.begin(); at != arguments.named.end(); ++at) {
    if (at->first != name) continue;
    Value value = std::move(at->second);
    arguments.named.erase(at);
    return value;
  }
  return absl::nullopt;
}

}  // namespace

absl::StatusOr<Arguments> Evaluation::ComputeArguments(const Expression& expression, Scope& scope) {
  Arguments arguments;
  TERMINUS_ASSIGN_OR_RETURN(arguments.positional, ComputeAll(expression.arguments, scope));
  for (const auto& [name, value] : expression.named) {
    TERMINUS_ASSIGN_OR_RETURN(Value computed, Compute(*value, scope));
    arguments.named.emplace_back(name, std::move(computed));
  }
  if (expression.more_arguments != nullptr) {
    TERMINUS_ASSIGN_OR_RETURN(const Value more, Compute(*expression.more_arguments, scope));
    TERMINUS_ASSIGN_OR_RETURN(const List all, Collect(context_, more));
    arguments.positional.insert(arguments.positional.end(), all.begin(), all.end());
  }
  if (expression.more_named != nullptr) {
    TERMINUS_ASSIGN_OR_RETURN(const Value more, Compute(*expression.more_named, scope));
    if (more.dict() == nullptr) return Error("'**' needs a dict");
    TERMINUS_RETURN_IF_ERROR(context_.Charge(more));
    for (const auto& [key, value] : more.dict()->entries()) {
      if (key.text() == nullptr) return Error("the keys behind '**' must be strings");
      const auto same = [&](const auto& named) { return named.first == key.text()->bytes; };
      if (std::any_of(arguments.named.begin(), arguments.named.end(), same)) {
        return Error(absl::StrCat("the argument '", key.text()->bytes, "' is there twice"));
      }
      arguments.named.emplace_back(key.text()->bytes, value);
    }
  }
  return arguments;
}

absl::StatusOr<Value> Evaluation::ComputeCall(const Expression& expression, Macro* caller,
                                              Scope& scope) {
  const Expression& callee = *expression.children[0];
  const bool is_attribute = callee.kind == Expression::Kind::kAttribute;
  TERMINUS_ASSIGN_OR_RETURN(const Value subject,
                            Compute(is_attribute ? *callee.children[0] : callee, scope));
  const bool is_method = is_attribute && HasMethod(subject, callee.text);
  Value function = subject;
  if (is_attribute && !is_method) {
    TERMINUS_ASSIGN_OR_RETURN(function, AttributeOf(context_, subject, callee.text));
  }
  TERMINUS_ASSIGN_OR_RETURN(Arguments arguments, ComputeArguments(expression, scope));
  if (caller != nullptr) {
    if (TakeNamed(arguments, "caller").has_value()) {
      return Error("the argument 'caller' is there twice");
    }
    arguments.named.emplace_back("caller", Value(caller));
  }
  if (is_method) return CallMethod(context_, subject, callee.text, arguments);
  return CallValue(function, std::move(arguments));
}

absl::StatusOr<Value> Evaluation::CallValue(const Value& callee, Arguments arguments) {
  if (callee.is_undefined()) return Error(callee.WhyUndefined());
  if (const auto* const macro = As<Macro>(callee); macro != nullptr) {
    return CallMacro(*macro, std::move(arguments));
  }
  if (const auto* const method = As<Method>(callee); method != nullptr) {
    return CallMethod(context_, method->self, method->name, arguments);
  }
  if (const auto* const function = As<Function>(callee); function != nullptr) {
    if (function->name == "raise_exception") return Raise(arguments);
    return CallFunction(context_, function->name, arguments);
  }
  if (auto* const loop = As<Loop>(callee); loop != nullptr) return loop->Call(arguments);
  if (auto* const joiner = As<Joiner>(callee); joiner != nullptr) {
    TERMINUS_RETURN_IF_ERROR(Bound::Make("joiner", arguments, {}, 0).status());
    if (std::exchange(joiner->used, true)) return joiner->separator;
    return Value(std::string());
  }
  return Error(absl::StrCat(callee.TypeName(), " cannot be called"));
}

// What the template says about its input, in its own words.
absl::Status Evaluation::Raise(const Arguments& arguments) {
  TERMINUS_ASSIGN_OR_RETURN(const Bound bound,
                            Bound::Make("raise_exception", arguments, {"message"}, 1));
  TERMINUS_ASSIGN_OR_RETURN(const Text text, TextOf(context_, bound.at(0)));
  const absl::string_view why = absl::string_view(text.bytes).substr(0, kMaxRefusalBytes);
  located_ = true;
  return Error(why.substr(0, tokenizer::ValidUtf8Prefix(why)));
}

absl::StatusOr<Value> Evaluation::CallMacro(const Macro& macro, Arguments arguments) {
  const Depth depth(*this);
  TERMINUS_RETURN_IF_ERROR(depth.Check());
  const MacroDefinition& definition = *macro.definition;
  std::unique_ptr<Scope> scope = NewScope(definition.frame, *macro.scope);
  Enter(*scope);
  TERMINUS_RETURN_IF_ERROR(BindParameters(definition, arguments, *scope));
  TextBuilder out;
  absl::StatusOr<Flow> flow = RunBlock(definition.body, *scope, out);
  Leave(std::move(scope));
  if (!flow.ok()) return flow.status();
  return Value(out.Take());
}

absl::Status Evaluation::BindParameters(const MacroDefinition& definition, Arguments& arguments,
                                        Scope& scope) {
  const size_t count = definition.parameters.size();
  const size_t given = std::min(count, arguments.positional.size());
  bool has_caller = false;
  for (size_t i = 0; i < count; ++i) {
    const Expression& parameter = *definition.parameters[i];
    absl::optional<Value>& slot = SlotOf(scope, parameter.variable);
    slot = i < given ? absl::make_optional(arguments.positional[i])
                     : TakeNamed(arguments, parameter.text);
    // One that was given by its place counts only when all were.
    has_caller |= parameter.text == "caller" && (i >= given || given == count);
  }
  TERMINUS_RETURN_IF_ERROR(BindSpecial(definition, has_caller, arguments, scope));
  const size_t first_default = count - definition.defaults.size();
  for (size_t i = 0; i < count; ++i) {
    const Expression& parameter = *definition.parameters[i];
    if (SlotOf(scope, parameter.variable).has_value()) continue;
    Value value = Value::Undefined(absl::StrCat("parameter '", parameter.text, "' was not given"));
    if (i >= first_default) {
      TERMINUS_ASSIGN_OR_RETURN(value, Compute(*definition.defaults[i - first_default], scope));
    }
    SlotOf(scope, parameter.variable) = std::move(value);
  }
  return absl::OkStatus();
}

// The names that every macro knows: caller, kwargs and varargs.
absl::Status Evaluation::BindSpecial(const MacroDefinition& definition, bool has_caller,
                                     Arguments& arguments, Scope& scope) {
  const auto slot = [&](int index) -> absl::optional<Value>& {
    return scope.slots[static_cast<size_t>(index)];
  };
  const size_t count = definition.parameters.size();
  if (definition.uses_caller && !has_caller) {
    const auto parameter =
        std::find_if(definition.parameters.begin(), definition.parameters.end(),
                     [](const ExpressionPtr& one) { return one->text == "caller"; });
    if (parameter != definition.parameters.end()) {
      return Error("the parameter 'caller' must not be given by its place");
    }
    const absl::optional<Value> caller = TakeNamed(arguments, "caller");
    slot(definition.caller_slot) =
        caller.has_value() && !caller->is_none() ? *caller : Value::Undefined("no caller defined");
  }
  if (definition.uses_named) {
    Dict named;
    for (const auto& [name, value] : arguments.named) named.Set(name, value);
    slot(definition.named_slot) = Value(std::move(named));
  } else if (!arguments.named.empty()) {
    return Error(absl::StrCat("the macro '", definition.name, "' takes no argument '",
                              arguments.named[0].first, "'"));
  }
  if (definition.uses_more) {
    const List& all = arguments.positional;
    slot(definition.more_slot) = Value::Tuple(
        all.size() > count ? List(all.begin() + static_cast<int64_t>(count), all.end()) : List());
  } else if (arguments.positional.size() > count) {
    return Error(
        absl::StrCat("the macro '", definition.name, "' takes at most ", count, " arguments"));
  }
  return absl::OkStatus();
}

}  // namespace terminus::chat
