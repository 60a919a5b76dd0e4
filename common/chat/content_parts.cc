#include "common/chat/content_parts.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "common/chat/text_methods.h"
#include "common/chat/walk.h"

namespace terminus::chat {
namespace {

using Kind = Expression::Kind;

bool IsLiteral(const Expression& expression, absl::string_view text) {
  return expression.kind == Kind::kLiteral && expression.value.text() != nullptr &&
         expression.value.text()->bytes == text;
}

class ContentFinder {
 public:
  explicit ContentFinder(const Template& parsed) : parsed_(parsed) {
    Walk(parsed.body, {.statement = [this](const Statement& part) {
           if (part.kind == Statement::Kind::kMacro) macros_[part.macro->name] = part.macro.get();
         }});
  }

  ContentUse Run() {
    // A name may get the content from another name that is found later.
    size_t known = 0;
    do {
      known = names_.size();
      Walk(parsed_.body, {.expression = [this](const Expression& part, Use) { FollowCall(part); },
                          .statement = [this](const Statement& part) { FollowAssignment(part); }});
    } while (names_.size() > known);
    Walk(parsed_.body, {.expression = [this](const Expression& part, Use) { Look(part); },
                        .statement =
                            [this](const Statement& part) {
                              use_.reads_parts |= part.kind == Statement::Kind::kFor &&
                                                  IsContent(*part.value) && TakesDicts(part);
                            }});
    return use_;
  }

 private:
  // Whether the value is a message's content, or parts of it that were selected.
  bool IsContent(const Expression& part) const {
    switch (part.kind) {
      case Kind::kName:
        return names_.count(part.text) > 0;
      case Kind::kAttribute:
        return part.text == "content";
      case Kind::kItem:
        return IsLiteral(*part.children[1], "content");
      case Kind::kSlice:
        return IsContent(*part.children[0]);
      case Kind::kCall: {
        const Expression& callee = *part.children[0];
        return callee.kind == Kind::kAttribute && callee.text == "get" && !part.arguments.empty() &&
               IsLiteral(*part.arguments[0], "content");
      }
      case Kind::kBinary:
        return (part.text == "or" || part.text == "and") &&
               (IsContent(*part.children[0]) || IsContent(*part.children[1]));
      case Kind::kCondition:
        return IsContent(*part.children[0]) ||
               (part.children[2] != nullptr && IsContent(*part.children[2]));
      case Kind::kFilter:
        return IsSelection(part.text) && part.children[0] != nullptr &&
               IsContent(*part.children[0]);
      default:
        return false;
    }
  }

  // Whether a loop's body uses the elements as dicts: a loop may go through the characters of a
  // string.
  static bool TakesDicts(const Statement& loop) {
    const std::string& name = loop.target->text;
    bool takes = false;
    const auto is_element = [&](const ExpressionPtr& part) {
      return part != nullptr && part->kind == Kind::kName && part->text == name;
    };
    const auto look = [&](const Expression& part, Use) {
      if (part.kind == Kind::kAttribute && is_element(part.children[0])) {
        takes |= !IsTextMethod(part.text);
      } else if (part.kind == Kind::kItem && is_element(part.children[0])) {
        takes |=
            part.children[1]->kind == Kind::kLiteral && part.children[1]->value.text() != nullptr;
      } else if (part.kind == Kind::kComparison && part.operators.size() == 1) {
        // 'image' in part
        takes |= part.operators[0] == "in" && is_element(part.children[1]);
      } else if (part.kind == Kind::kCall) {
        // A macro for one part.
        takes |= std::any_of(part.arguments.begin(), part.arguments.end(), is_element);
      }
    };
    Walk(loop.body, {.expression = look});
    return takes;
  }

  static bool IsSelection(absl::string_view filter) {
    return filter == "default" || filter == "d" || filter == "list" || filter == "reverse" ||
           filter == "select" || filter == "reject" || filter == "selectattr" ||
           filter == "rejectattr";
  }

  void FollowAssignment(const Statement& part) {
    if (part.kind == Statement::Kind::kSet && !part.captures && part.target->kind == Kind::kName &&
        IsContent(*part.value)) {
      names_.insert(part.target->text);
    }
    for (size_t i = 0; part.kind == Statement::Kind::kWith && i < part.targets.size(); ++i) {
      if (part.targets[i]->kind == Kind::kName && IsContent(*part.values[i])) {
        names_.insert(part.targets[i]->text);
      }
    }
  }

  void FollowCall(const Expression& part) {
    if (part.kind != Kind::kCall || part.children[0]->kind != Kind::kName) return;
    const auto macro = macros_.find(part.children[0]->text);
    if (macro == macros_.end()) return;
    const auto& parameters = macro->second->parameters;
    for (size_t i = 0; i < part.arguments.size() && i < parameters.size(); ++i) {
      if (IsContent(*part.arguments[i])) names_.insert(parameters[i]->text);
    }
    for (const auto& [name, value] : part.named) {
      if (IsContent(*value)) names_.insert(name);
    }
  }

  void Look(const Expression& part) {
    if (part.kind == Kind::kTest && part.text == "string") {
      use_.reads_strings |= IsContent(*part.children[0]);
    }
    // content[0].text, content[0]['type'] …
    if (part.kind == Kind::kAttribute ||
        (part.kind == Kind::kItem && part.children[1]->kind == Kind::kLiteral &&
         part.children[1]->value.text() != nullptr)) {
      const Expression& element = *part.children[0];
      use_.reads_parts |=
          element.kind == Kind::kItem && element.children[1]->kind == Kind::kLiteral &&
          element.children[1]->value.integer() != nullptr && IsContent(*element.children[0]);
    }
    // content | map(attribute='text') …
    if (part.kind == Kind::kFilter && part.children[0] != nullptr &&
        (part.text == "map" || part.text == "selectattr" || part.text == "rejectattr")) {
      use_.reads_parts |= IsContent(*part.children[0]);
    }
  }

  const Template& parsed_;
  std::map<std::string, const MacroDefinition*> macros_;
  // Variables that may hold a message's content.
  std::set<std::string> names_;
  ContentUse use_;
};

}  // namespace

ContentUse FindContentUse(const Template& parsed) { return ContentFinder(parsed).Run(); }

}  // namespace terminus::chat
