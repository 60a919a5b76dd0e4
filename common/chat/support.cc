#include "common/chat/support.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/chat/attributes.h"
#include "common/chat/filters.h"
#include "common/chat/functions.h"
#include "common/chat/value_tests.h"
#include "common/chat/walk.h"

namespace terminus::chat {
namespace {

using Kind = Expression::Kind;

// The text of a literal; null for other expressions.
const std::string* LiteralText(const Expression& expression) {
  const bool is_text = expression.kind == Kind::kLiteral && expression.value.text() != nullptr;
  return is_text ? &expression.value.text()->bytes : nullptr;
}

// What a template gives names to.
class Names {
 public:
  explicit Names(const Template& parsed) {
    const auto expression = [this](const Expression& part, Use use) { Add(part, use); };
    const auto statement = [this](const Statement& part) {
      if (part.kind == Statement::Kind::kMacro) variables_.insert(part.macro->name);
    };
    Walk(parsed.body, {.expression = expression, .statement = statement});
    for (const absl::string_view known : {"loop", "caller", "kwargs", "varargs"}) {
      variables_.insert(std::string(known));
    }
  }

  // Whether the template assigns to the variable, or asks whether it is there.
  bool HasVariable(const std::string& name) const { return variables_.count(name) > 0; }
  // Whether some namespace or dict may hold a function under this name.
  bool HasMember(const std::string& name) const { return members_.count(name) > 0; }

 private:
  void Add(const Expression& part, Use use) {
    if (part.kind == Kind::kMember) members_.insert(part.attribute);
    if (part.kind == Kind::kName && use != Use::kLoad) variables_.insert(part.text);
    if (part.kind == Kind::kTest && (part.text == "defined" || part.text == "undefined") &&
        part.children[0]->kind == Kind::kName) {
      variables_.insert(part.children[0]->text);
    }
    for (const auto& named : part.named) members_.insert(named.first);
    if (part.kind == Kind::kDict) {
      for (size_t i = 0; i < part.children.size(); i += 2) {
        const std::string* const key = LiteralText(*part.children[i]);
        if (key != nullptr) members_.insert(*key);
      }
    }
  }

  std::set<std::string> variables_;
  std::set<std::string> members_;
};

// What is wrong with an expression; empty when it is supported.
std::string Fault(const Expression& part, Use use, const Names& names) {
  if (part.kind == Kind::kFilter) {
    if (!IsFilter(part.text) && (!part.optional || IsJinjaFilter(part.text))) {
      return absl::StrCat("the filter '", part.text, "' is not supported");
    }
    // A filter by its name: one that Jinja does not know either is looked for when it is used.
    const std::string* const name =
        part.arguments.empty() ? nullptr : LiteralText(*part.arguments[0]);
    if (name != nullptr && part.text == "map" && !IsFilter(*name) && IsJinjaFilter(*name)) {
      return absl::StrCat("the filter '", *name, "' is not supported");
    }
  }
  if (part.kind == Kind::kTest && !IsTest(part.text) && !part.optional) {
    return absl::StrCat("the test '", part.text, "' is not supported");
  }
  const bool jinjas_own = part.text == "self" || part.text == "lipsum";
  if (part.kind == Kind::kName && use == Use::kLoad && jinjas_own &&
      !names.HasVariable(part.text)) {
    return absl::StrCat("'", part.text, "' is not supported");
  }
  if (part.kind != Kind::kCall) return "";
  const Expression& callee = *part.children[0];
  const auto& functions = FunctionNames();
  if (callee.kind == Kind::kName && !names.HasVariable(callee.text) &&
      std::find(functions.begin(), functions.end(), callee.text) == functions.end()) {
    return absl::StrCat("the function '", callee.text, "' is not supported");
  }
  if (callee.kind == Kind::kAttribute && !IsKnownMethod(callee.text) &&
      !names.HasMember(callee.text)) {
    return absl::StrCat("the method '", callee.text, "' is not supported");
  }
  return "";
}

}  // namespace

absl::Status CheckSupported(const Template& parsed) {
  const Names names(parsed);
  absl::Status status;
  Walk(parsed.body, {.expression = [&](const Expression& part, Use use) {
         if (!status.ok()) return;
         const std::string fault = Fault(part, use, names);
         if (!fault.empty()) {
           status = absl::InvalidArgumentError(absl::StrCat("line ", part.line, ": ", fault));
         }
       }});
  return status;
}

}  // namespace terminus::chat
