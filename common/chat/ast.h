#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/chat/value.h"

// A parsed template.
namespace terminus::chat {

// A variable: its place in a frame (Frame), and how deep that frame lies.
struct Variable {
  int level = 0;
  int slot = 0;
};

// The variables of a part of a template that has its own, as a loop's body; scopes.h makes them.
struct Frame {
  struct Load {
    // The source of a variable's value when the frame begins.
    enum class Action {
      kParameter,  // from outside
      kResolve,    // the variable of this name that the template was called with
      kAlias,      // a variable of a frame around this one
      kUndefined,
    };
    Action action = Action::kUndefined;
    Variable from;
  };
  int level = 0;
  std::vector<std::string> names;  // by slot
  std::vector<Load> loads;         // by slot
};

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind {
    kLiteral,        // value
    kName,           // text; variable
    kMember,         // as a target: text (a namespace; variable) . attribute
    kList,           // children
    kTuple,          // children
    kDict,           // children: key, value, key, value …
    kAttribute,      // children[0] . text
    kItem,           // children[0] [ children[1] ]
    kSlice,          // children[0] [ begin : end : step ], absent ones null
    kCall,           // children[0] ( arguments )
    kFilter,         // children[0] | text ( arguments ); null in a filter block
    kTest,           // children[0] is text ( arguments )
    kUnary,          // text: "-", "+", "not"
    kBinary,         // text: an operator, "and" or "or"
    kConcatenation,  // children, with "~" between them
    kComparison,     // children[0] operators[0] children[1] operators[1] …
    kCondition,      // children[0] if children[1] else children[2], which may be null
  };
  Kind kind = Kind::kLiteral;
  int line = 1;
  // 1 more than its deepest child's: bounded, because evaluating goes as deep.
  int depth = 1;
  std::string text;
  std::string attribute;
  // Inside an if or a condition: Jinja looks for its filters and tests only when it gets there.
  bool optional = false;
  Value value;
  Variable variable;
  std::vector<ExpressionPtr> children;
  std::vector<std::string> operators;
  // The arguments of a call, filter or test.
  std::vector<ExpressionPtr> arguments;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr more_arguments;  // *…
  ExpressionPtr more_named;      // **…
};

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

// A macro, or what stands inside of a call block.
struct MacroDefinition {
  std::string name;  // Empty for a call block.
  int line = 1;
  std::vector<ExpressionPtr> parameters;  // kName
  std::vector<ExpressionPtr> defaults;    // of the last parameters
  Block body;
  Frame frame;
  // Whether the body uses these names that every macro knows, and their slots.
  bool uses_caller = false;
  bool uses_named = false;
  bool uses_more = false;
  int caller_slot = 0;
  int named_slot = 0;
  int more_slot = 0;
};

struct Statement {
  enum class Kind {
    kOutput,  // values
    kIf,      // branches: condition (null for else) and body
    kFor,     // for target in value [if condition] [recursive]: body, else: otherwise
    kSet,     // target = value, or = the body's text, through the filter `value`
    kMacro,   // macro
    kCall,    // call (macro) value; without a value, the text of the body
    kFilter,  // value (kFilter whose innermost child is null) over the body's text
    kWith,    // targets = values: body
    kBreak,
    kContinue,
  };
  struct Branch {
    ExpressionPtr condition;
    Block body;
  };
  Kind kind = Kind::kOutput;
  int line = 1;
  std::vector<ExpressionPtr> values;
  std::vector<ExpressionPtr> targets;
  ExpressionPtr value;
  ExpressionPtr target;
  ExpressionPtr condition;
  // If a loop has a condition, its `target` again, in the frame of the condition.
  ExpressionPtr condition_target;
  std::vector<Branch> branches;
  std::unique_ptr<MacroDefinition> macro;
  Block body;
  Block otherwise;
  bool captures = false;   // A set takes the text of its body as the value.
  bool recursive = false;  // A loop may call itself.
  bool uses_loop = false;  // The body of a loop may use the name "loop".
  int loop_slot = 0;
  Frame frame;            // The variables of the body.
  Frame condition_frame;  // The variables of a loop's condition.
  Frame otherwise_frame;  // The variables of a loop's else.
};

struct Template {
  Block body;
  Frame frame;
};

}  // namespace terminus::chat
