#include "common/chat/evaluator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/builtins.h"
#include "common/tokenizer/utf8.h"

namespace terminus::chat {
namespace {

using Kind = Expression::Kind;

constexpr int64_t kMaxRange = 100'000;
constexpr int kMaxValueDepth = 32;
constexpr size_t kBytesPerStep = 64;
constexpr size_t kMaxRefusalBytes = 1000;

class Evaluator {
 public:
  explicit Evaluator(Dict globals) { scopes_.push_back(std::move(globals)); }

  absl::StatusOr<std::string> Run(const Block& block) {
    std::string out;
    TERMINUS_ASSIGN_OR_RETURN([[maybe_unused]] const Flow flow, RunBlock(block, out));
    return out;
  }

 private:
  // What a block asks of the loop around it.
  enum class Flow { kOn, kBreak, kContinue };

  static absl::Status At(int line, const absl::Status& status) {
    return status.ok()
               ? status
               : absl::Status(status.code(), absl::StrCat("line ", line, ": ", status.message()));
  }

  static absl::Status ErrorAt(int line, absl::string_view message) {
    return At(line, absl::InvalidArgumentError(message));
  }

  absl::Status Step(int line, size_t bytes = 0) {
    steps_ += 1 + bytes / kBytesPerStep;
    if (steps_ <= kMaxSteps) return absl::OkStatus();
    return ErrorAt(line, absl::StrCat("more than ", kMaxSteps, " steps"));
  }

  // Pays for making a value or for going through it.
  absl::Status Charge(int line, const Value& value) {
    TERMINUS_RETURN_IF_ERROR(At(line, CheckTextSize(value.weight() - 1)));
    if (value.depth() > kMaxValueDepth) {
      return ErrorAt(line, absl::StrCat("lists nested deeper than ", kMaxValueDepth));
    }
    return Step(line, value.weight());
  }

  // What may be an element of a list, dict or namespace.
  static absl::Status CheckElement(int line, const Value& value) {
    if (value.namespace_members() == nullptr) return absl::OkStatus();
    return ErrorAt(line, "a namespace cannot be part of another value");
  }

  absl::Status Write(int line, const std::string& text, std::string& out) {
    TERMINUS_RETURN_IF_ERROR(Step(line, text.size()));
    TERMINUS_RETURN_IF_ERROR(At(line, CheckTextSize(out.size() + text.size())));
    out += text;
    return absl::OkStatus();
  }

  absl::StatusOr<Flow> RunBlock(const Block& block, std::string& out) {
    for (const auto& statement : block) {
      TERMINUS_RETURN_IF_ERROR(Step(statement->line));
      TERMINUS_ASSIGN_OR_RETURN(const Flow flow, RunStatement(*statement, out));
      if (flow != Flow::kOn) return flow;
    }
    return Flow::kOn;
  }

  absl::StatusOr<Flow> RunStatement(const Statement& statement, std::string& out) {
    switch (statement.kind) {
      case Statement::Kind::kText:
        TERMINUS_RETURN_IF_ERROR(Write(statement.line, statement.text, out));
        return Flow::kOn;
      case Statement::Kind::kOutput: {
        TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*statement.value));
        TERMINUS_RETURN_IF_ERROR(Write(statement.line, value.ToText(), out));
        return Flow::kOn;
      }
      case Statement::Kind::kIf:
        for (const Statement::Branch& branch : statement.branches) {
          bool holds = true;
          if (branch.condition != nullptr) {
            TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*branch.condition));
            holds = value.Truthy();
          }
          if (holds) return RunBlock(branch.body, out);
        }
        return Flow::kOn;
      case Statement::Kind::kFor:
        return RunFor(statement, out);
      case Statement::Kind::kSet:
        TERMINUS_RETURN_IF_ERROR(RunSet(statement));
        return Flow::kOn;
      case Statement::Kind::kBreak:
        return Flow::kBreak;
      case Statement::Kind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kOn;
  }

  absl::Status RunSet(const Statement& statement) {
    Value value;
    if (statement.value != nullptr) {
      TERMINUS_ASSIGN_OR_RETURN(value, Compute(*statement.value));
    } else {
      std::string text;
      TERMINUS_ASSIGN_OR_RETURN([[maybe_unused]] const Flow flow, RunBlock(statement.body, text));
      value = Value(std::move(text));
    }
    if (statement.names.size() == 1) {
      scopes_.back().Set(statement.names[0], std::move(value));
      return absl::OkStatus();
    }
    const Value object = Find(statement.names[0]);
    if (object.namespace_members() == nullptr) {
      return ErrorAt(statement.line, absl::StrCat("'", statement.names[0], "' is no namespace"));
    }
    TERMINUS_RETURN_IF_ERROR(CheckElement(statement.line, value));
    object.namespace_members()->Set(statement.names[1], std::move(value));
    return absl::OkStatus();
  }

  absl::StatusOr<List> ElementsOf(const Value& value, int line) {
    TERMINUS_RETURN_IF_ERROR(Charge(line, value));
    if (value.list() != nullptr) return *value.list();
    List elements;
    if (value.dict() != nullptr) {
      for (const auto& entry : value.dict()->entries()) elements.push_back(Value(entry.first));
    } else if (value.string() != nullptr) {
      for (std::string& character : Characters(*value.string())) {
        elements.push_back(Value(std::move(character)));
      }
    } else if (!value.is_undefined()) {
      return ErrorAt(line, absl::StrCat("cannot go through ", value.TypeName(), " in a loop"));
    }
    return elements;
  }

  absl::Status Bind(const Statement& loop, const Value& element, Dict& scope) {
    if (loop.names.size() == 1) {
      scope.Set(loop.names[0], element);
      return absl::OkStatus();
    }
    const List* const parts = element.list();
    if (parts == nullptr || parts->size() != loop.names.size()) {
      return ErrorAt(loop.line, absl::StrCat("expected elements of ", loop.names.size(), " parts"));
    }
    for (size_t i = 0; i < parts->size(); ++i) scope.Set(loop.names[i], (*parts)[i]);
    return absl::OkStatus();
  }

  // The elements that the loop's condition lets through.
  absl::StatusOr<List> Filtered(const Statement& loop, List elements) {
    if (loop.condition == nullptr) return elements;
    List kept;
    for (Value& element : elements) {
      TERMINUS_RETURN_IF_ERROR(Step(loop.line));
      scopes_.emplace_back();
      absl::Status bound = Bind(loop, element, scopes_.back());
      absl::StatusOr<Value> holds = bound.ok() ? Compute(*loop.condition) : bound;
      scopes_.pop_back();
      if (!holds.ok()) return holds.status();
      if (holds->Truthy()) kept.push_back(std::move(element));
    }
    return kept;
  }

  absl::StatusOr<Flow> RunFor(const Statement& loop, std::string& out) {
    TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*loop.value));
    TERMINUS_ASSIGN_OR_RETURN(List all, ElementsOf(value, loop.line));
    TERMINUS_ASSIGN_OR_RETURN(const List elements, Filtered(loop, std::move(all)));
    if (elements.empty()) return RunBlock(loop.otherwise, out);
    const auto count = static_cast<int64_t>(elements.size());
    for (int64_t i = 0; i < count; ++i) {
      TERMINUS_RETURN_IF_ERROR(Step(loop.line));
      Dict scope;
      TERMINUS_RETURN_IF_ERROR(Bind(loop, elements[i], scope));
      scope.Set("loop", Value(Dict{{"index", Value(i + 1)},
                                   {"index0", Value(i)},
                                   {"revindex", Value(count - i)},
                                   {"revindex0", Value(count - i - 1)},
                                   {"first", Value(i == 0)},
                                   {"last", Value(i + 1 == count)},
                                   {"length", Value(count)},
                                   {"previtem", i > 0 ? elements[i - 1] : Value()},
                                   {"nextitem", i + 1 < count ? elements[i + 1] : Value()}}));
      scopes_.push_back(std::move(scope));
      const absl::StatusOr<Flow> flow = RunBlock(loop.body, out);
      scopes_.pop_back();
      if (!flow.ok()) return flow;
      if (*flow == Flow::kBreak) break;
    }
    return Flow::kOn;
  }

  Value Find(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const Value* const found = scope->Find(name); found != nullptr) return *found;
    }
    return Value();
  }

  absl::StatusOr<Value> Compute(const Expression& e) {
    TERMINUS_RETURN_IF_ERROR(Step(e.line));
    absl::StatusOr<Value> value = Dispatch(e);
    const bool at_hand =
        e.kind == Kind::kLiteral || e.kind == Kind::kName || e.kind == Kind::kAttribute;
    if (value.ok() && !at_hand) TERMINUS_RETURN_IF_ERROR(Charge(e.line, *value));
    return value;
  }

  absl::StatusOr<Value> Dispatch(const Expression& e) {
    switch (e.kind) {
      case Kind::kLiteral:
        return e.value;
      case Kind::kName:
        return Find(e.text);
      case Kind::kList: {
        TERMINUS_ASSIGN_OR_RETURN(List elements, ComputeAll(e, 0));
        for (const Value& element : elements) {
          TERMINUS_RETURN_IF_ERROR(CheckElement(e.line, element));
        }
        return Value(std::move(elements));
      }
      case Kind::kDict:
        return MakeDict(e);
      case Kind::kUnary:
        return Unary(e);
      case Kind::kBinary:
        return Binary(e);
      case Kind::kCondition: {
        TERMINUS_ASSIGN_OR_RETURN(const Value holds, Compute(*e.children[1]));
        if (holds.Truthy()) return Compute(*e.children[0]);
        return e.children[2] != nullptr ? Compute(*e.children[2]) : Value();
      }
      case Kind::kCall:
        return Call(e);
      default:
        return WithSubject(e);
    }
  }

  // What begins with a value to look at: children[0].
  absl::StatusOr<Value> WithSubject(const Expression& e) {
    TERMINUS_ASSIGN_OR_RETURN(const Value subject, Compute(*e.children[0]));
    if (e.kind == Kind::kAttribute || e.kind == Kind::kItem || e.kind == Kind::kSlice) {
      if (subject.is_undefined()) {
        return ErrorAt(
            e.line,
            absl::StrCat("undefined has no ",
                         e.kind == Kind::kAttribute ? absl::StrCat("'", e.text, "'") : "elements"));
      }
    }
    if (e.kind == Kind::kAttribute) return ItemOf(subject, Value(e.text));
    if (e.kind != Kind::kItem || subject.string() != nullptr) {
      TERMINUS_RETURN_IF_ERROR(Charge(e.line, subject));
    }
    if (e.kind == Kind::kItem) {
      TERMINUS_ASSIGN_OR_RETURN(const Value index, Compute(*e.children[1]));
      return ItemOf(subject, index);
    }
    if (e.kind == Kind::kSlice) {
      Value bounds[3];
      for (int i = 0; i < 3; ++i) {
        if (e.children[1 + i] != nullptr) {
          TERMINUS_ASSIGN_OR_RETURN(bounds[i], Compute(*e.children[1 + i]));
        }
      }
      return Located(e, SliceOf(subject, bounds[0], bounds[1], bounds[2]));
    }
    TERMINUS_ASSIGN_OR_RETURN(Arguments arguments, ComputeAll(e, 1));
    TERMINUS_RETURN_IF_ERROR(AddNamed(e, arguments));
    if (e.kind == Kind::kFilter) return Located(e, ApplyFilter(e.text, subject, arguments));
    const absl::StatusOr<bool> holds = ApplyTest(e.text, subject, arguments);
    if (!holds.ok()) return At(e.line, holds.status());
    return Value(*holds);
  }

  static absl::StatusOr<Value> Located(const Expression& e, absl::StatusOr<Value> value) {
    return value.ok() ? std::move(value) : absl::StatusOr<Value>(At(e.line, value.status()));
  }

  // Children from `from` on.
  absl::StatusOr<List> ComputeAll(const Expression& e, size_t from) {
    List values;
    for (size_t i = from; i < e.children.size(); ++i) {
      TERMINUS_ASSIGN_OR_RETURN(values.emplace_back(), Compute(*e.children[i]));
    }
    return values;
  }

  // Puts arguments that were given by name where they would stand without.
  absl::Status AddNamed(const Expression& e, Arguments& arguments) {
    const bool is_default = e.kind == Kind::kFilter && (e.text == "default" || e.text == "d");
    for (const auto& [name, expression] : e.named) {
      TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*expression));
      if (is_default && (name == "default_value" || name == "boolean")) {
        arguments.resize(2, Value(std::string()));
        arguments[name == "boolean"] = value;
      } else if (e.text != "tojson" || name != "ensure_ascii" || value.Truthy()) {
        // Without ensure_ascii is how JSON is written anyway.
        return ErrorAt(e.line, absl::StrCat(e.text, ": '", name, "' is not supported"));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Value> MakeDict(const Expression& e) {
    Dict dict;
    for (size_t i = 0; i + 1 < e.children.size(); i += 2) {
      TERMINUS_ASSIGN_OR_RETURN(const Value key, Compute(*e.children[i]));
      if (key.string() == nullptr) {
        return ErrorAt(e.line, "a dict's key must be a string");
      }
      TERMINUS_ASSIGN_OR_RETURN(Value value, Compute(*e.children[i + 1]));
      TERMINUS_RETURN_IF_ERROR(CheckElement(e.line, value));
      dict.Set(*key.string(), std::move(value));
    }
    return Value(std::move(dict));
  }

  absl::StatusOr<Value> Unary(const Expression& e) {
    TERMINUS_ASSIGN_OR_RETURN(const Value value, Compute(*e.children[0]));
    if (e.text == "not") return Value(!value.Truthy());
    return Located(e, ApplyBinary(e.text, Value(int64_t{0}), value));
  }

  absl::StatusOr<Value> Binary(const Expression& e) {
    TERMINUS_ASSIGN_OR_RETURN(Value left, Compute(*e.children[0]));
    if (e.text == "and" || e.text == "or") {
      return left.Truthy() == (e.text == "or") ? left : Compute(*e.children[1]);
    }
    TERMINUS_ASSIGN_OR_RETURN(const Value right, Compute(*e.children[1]));
    TERMINUS_RETURN_IF_ERROR(Charge(e.line, left));
    TERMINUS_RETURN_IF_ERROR(Charge(e.line, right));
    return Located(e, ApplyBinary(e.text, left, right));
  }

  absl::StatusOr<Value> Call(const Expression& e) {
    if (!e.method && (e.text == "namespace" || e.text == "dict")) return CallWithNames(e);
    TERMINUS_ASSIGN_OR_RETURN(const Value subject, e.method ? Compute(*e.children[0]) : Value());
    TERMINUS_ASSIGN_OR_RETURN(Arguments arguments, ComputeAll(e, e.method ? 1 : 0));
    TERMINUS_RETURN_IF_ERROR(AddNamed(e, arguments));
    if (e.method) {
      TERMINUS_RETURN_IF_ERROR(Charge(e.line, subject));
      return Located(e, CallMethod(e.text, subject, arguments));
    }
    if (e.text == "raise_exception") {
      std::string why = arguments.empty() ? "the template refuses this" : arguments[0].ToText();
      why.resize(tokenizer::ValidUtf8Prefix(absl::string_view(why).substr(0, kMaxRefusalBytes)));
      return absl::InvalidArgumentError(why);
    }
    if (e.text == "range") return Range(e, arguments);
    return ErrorAt(e.line, absl::StrCat("the function '", e.text, "' is not supported"));
  }

  // namespace(a=1, …) or dict(a=1, …).
  absl::StatusOr<Value> CallWithNames(const Expression& e) {
    if (!e.children.empty()) {
      return ErrorAt(e.line, absl::StrCat(e.text, ": expected names and values"));
    }
    Dict dict;
    for (const auto& [name, expression] : e.named) {
      TERMINUS_ASSIGN_OR_RETURN(Value value, Compute(*expression));
      TERMINUS_RETURN_IF_ERROR(CheckElement(e.line, value));
      dict.Set(name, std::move(value));
    }
    return e.text == "dict" ? Value(std::move(dict)) : Value::Namespace(std::move(dict));
  }

  absl::StatusOr<Value> Range(const Expression& e, const Arguments& arguments) {
    // No sum or difference of such numbers overflows.
    constexpr int64_t kMaxBound = int64_t{1} << 40;
    int64_t bounds[3] = {0, 0, 1};
    const absl::Status error =
        ErrorAt(e.line, absl::StrCat("range: expected 1 to 3 whole numbers up to ", kMaxBound,
                                     ", a step above 0, and at most ", kMaxRange, " elements"));
    if (arguments.empty() || arguments.size() > 3) return error;
    for (size_t i = 0; i < arguments.size(); ++i) {
      const int64_t* const bound = arguments[i].integer();
      if (bound == nullptr || *bound > kMaxBound || *bound < -kMaxBound) return error;
      bounds[arguments.size() == 1 ? 1 : i] = *bound;
    }
    if (bounds[2] <= 0 || (bounds[1] - bounds[0]) / bounds[2] > kMaxRange) return error;
    List list;
    for (int64_t i = bounds[0]; i < bounds[1]; i += bounds[2]) list.push_back(Value(i));
    return Value(std::move(list));
  }

  size_t steps_ = 0;
  // The innermost last.
  std::vector<Dict> scopes_;
};

}  // namespace

absl::StatusOr<std::string> Evaluate(const Block& block, Dict globals) {
  return Evaluator(std::move(globals)).Run(block);
}

}  // namespace terminus::chat
