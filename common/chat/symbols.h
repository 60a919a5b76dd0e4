#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/types/optional.h"
#include "common/chat/ast.h"
#include "common/chat/walk.h"

namespace terminus::chat {

// The names that a frame uses and where their values come from, collected from its statements in
// order. Copies, made for the branches of an if, share the places of variables.
class Symbols {
 public:
  using Load = Frame::Load;

  // `frame` gets the names; both must outlive this.
  Symbols(Frame* frame, const Symbols* parent);

  // The variable of this name, of this frame or one around it.
  absl::optional<Variable> Find(const std::string& name) const;

  // A parameter gets its value from outside.
  Variable DeclareParameter(const std::string& name);

  // Goes through what belongs to this frame: not into bodies that have their own.
  void Read(const Expression& expression);
  void Assign(const Expression& target, Use use);
  void Run(const Block& block);
  void Run(const Statement& statement);

  // Writes the loads to the frame. Call it when all is collected.
  void Finish();

 private:
  Variable Define(const std::string& name, Load load);
  void LoadName(const std::string& name);
  void StoreName(const std::string& name);
  void RunIf(const Statement& statement, size_t branch);
  void Merge(const std::vector<Symbols>& branches);

  Frame* const frame_;
  const Symbols* const parent_;
  std::set<std::string> names_;
  std::map<int, Load> loads_;  // by slot
  std::set<std::string> stores_;
};

}  // namespace terminus::chat
