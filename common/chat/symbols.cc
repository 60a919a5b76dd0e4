#include "common/chat/symbols.h"

#include <algorithm>

namespace terminus::chat {
namespace {

using Action = Frame::Load::Action;

int SlotOf(Frame& frame, const std::string& name) {
  const auto found = std::find(frame.names.begin(), frame.names.end(), name);
  if (found == frame.names.end()) {
    frame.names.push_back(name);
    return static_cast<int>(frame.names.size()) - 1;
  }
  return static_cast<int>(found - frame.names.begin());
}

}  // namespace

Symbols::Symbols(Frame* frame, const Symbols* parent) : frame_(frame), parent_(parent) {
  frame_->level = parent == nullptr ? 0 : parent->frame_->level + 1;
}

absl::optional<Variable> Symbols::Find(const std::string& name) const {
  if (names_.count(name) > 0) {
    return Variable{frame_->level, SlotOf(*frame_, name)};
  }
  return parent_ == nullptr ? absl::nullopt : parent_->Find(name);
}

Variable Symbols::Define(const std::string& name, Load load) {
  names_.insert(name);
  const int slot = SlotOf(*frame_, name);
  loads_[slot] = load;
  return {frame_->level, slot};
}

Variable Symbols::DeclareParameter(const std::string& name) {
  stores_.insert(name);
  return Define(name, {.action = Action::kParameter});
}

void Symbols::LoadName(const std::string& name) {
  if (!Find(name).has_value()) Define(name, {.action = Action::kResolve});
}

void Symbols::StoreName(const std::string& name) {
  stores_.insert(name);
  if (names_.count(name) > 0) return;
  const auto outer = parent_ == nullptr ? absl::nullopt : parent_->Find(name);
  Define(name, outer.has_value() ? Load{.action = Action::kAlias, .from = *outer}
                                 : Load{.action = Action::kUndefined});
}

void Symbols::Read(const Expression& expression) {
  Walk(expression, Use::kLoad, {.expression = [this](const Expression& part, Use) {
         if (part.kind == Expression::Kind::kName) LoadName(part.text);
       }});
}

void Symbols::Assign(const Expression& target, Use use) {
  Walk(target, use, {.expression = [this](const Expression& part, Use how) {
         if (part.kind == Expression::Kind::kMember) {
           LoadName(part.text);
         } else if (part.kind == Expression::Kind::kName) {
           if (how == Use::kParameter) {
             DeclareParameter(part.text);
           } else {
             StoreName(part.text);
           }
         }
       }});
}

void Symbols::Run(const Block& block) {
  for (const auto& statement : block) Run(*statement);
}

void Symbols::Run(const Statement& statement) {
  switch (statement.kind) {
    case Statement::Kind::kOutput:
    case Statement::Kind::kWith:
      for (const ExpressionPtr& value : statement.values) Read(*value);
      break;
    case Statement::Kind::kIf:
      RunIf(statement, 0);
      break;
    case Statement::Kind::kSet:
      if (!statement.captures) Read(*statement.value);
      Assign(*statement.target, Use::kStore);
      break;
    case Statement::Kind::kMacro:
      StoreName(statement.macro->name);
      break;
    case Statement::Kind::kFor:
    case Statement::Kind::kCall:
    case Statement::Kind::kFilter:
      if (statement.value != nullptr) Read(*statement.value);
      break;
    case Statement::Kind::kBreak:
    case Statement::Kind::kContinue:
      break;
  }
}

// Each branch is collected on its own. An elif is an if of its own, without an else.
void Symbols::RunIf(const Statement& statement, size_t branch) {
  Read(*statement.branches[branch].condition);
  std::vector<Symbols> branches;
  branches.push_back(*this);
  branches.back().Run(statement.branches[branch].body);
  if (branch == 0) {
    branches.push_back(*this);
    branches.push_back(*this);
    for (size_t i = 1; i < statement.branches.size(); ++i) {
      if (statement.branches[i].condition != nullptr) {
        branches[1].RunIf(statement, i);
      } else {
        branches[2].Run(statement.branches[i].body);
      }
    }
  }
  Merge(branches);
}

void Symbols::Merge(const std::vector<Symbols>& branches) {
  std::set<std::string> stores;
  for (const Symbols& branch : branches) {
    stores.insert(branch.stores_.begin(), branch.stores_.end());
  }
  for (const std::string& name : stores_) stores.erase(name);
  for (const Symbols& branch : branches) {
    names_.insert(branch.names_.begin(), branch.names_.end());
    for (const auto& [slot, load] : branch.loads_) loads_[slot] = load;
    stores_.insert(branch.stores_.begin(), branch.stores_.end());
  }
  // What only some branch assigns to has the value from before otherwise.
  for (const std::string& name : stores) {
    const auto outer = parent_ == nullptr ? absl::nullopt : parent_->Find(name);
    const auto variable = Find(name);
    loads_[variable->slot] = outer.has_value() ? Load{.action = Action::kAlias, .from = *outer}
                                               : Load{.action = Action::kResolve};
  }
}

void Symbols::Finish() {
  frame_->loads.assign(frame_->names.size(), Load());
  for (const auto& [slot, load] : loads_) frame_->loads[static_cast<size_t>(slot)] = load;
}

}  // namespace terminus::chat
