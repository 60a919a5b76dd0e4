#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/chat/value.h"

// A parsed template.
namespace terminus::chat {

struct Expression {
  enum class Kind {
    kLiteral,    // value
    kName,       // text
    kList,       // children
    kDict,       // children: key, value, key, value …
    kAttribute,  // children[0] . text
    kItem,       // children[0] [ children[1] ]
    kSlice,      // children[0] [ begin : end : step ], absent ones null
    kCall,       // text ( children ), or children[0] . text ( … ) when `method`
    kFilter,     // children[0] | text ( … )
    kTest,       // children[0] is text ( … )
    kUnary,      // text: "-", "+", "not"
    kBinary,     // text: an operator, "and", "or", "in", "not in"
    kCondition,  // children[0] if children[1] else children[2], which may be null
  };
  Kind kind = Kind::kLiteral;
  int line = 1;
  // 1 more than its deepest child's: bounded, because evaluating goes as deep.
  int depth = 1;
  std::string text;
  Value value;
  bool method = false;
  std::vector<std::unique_ptr<Expression>> children;
  // Arguments given by name: their names and values.
  std::vector<std::pair<std::string, std::unique_ptr<Expression>>> named;
};

struct Statement;
using Block = std::vector<std::unique_ptr<Statement>>;

struct Statement {
  enum class Kind {
    kText,    // text
    kOutput,  // value
    kIf,      // branches: condition (null for else) and body
    kFor,     // for names in value [if condition]: body, else: otherwise
    kSet,     // names[0] [. names[1]] = value, or = the body's text
    kBreak,
    kContinue,
  };
  struct Branch {
    std::unique_ptr<Expression> condition;
    Block body;
  };
  Kind kind = Kind::kText;
  int line = 1;
  std::string text;
  std::vector<std::string> names;
  std::unique_ptr<Expression> value;
  std::unique_ptr<Expression> condition;
  std::vector<Branch> branches;
  Block body;
  Block otherwise;
};

}  // namespace terminus::chat
