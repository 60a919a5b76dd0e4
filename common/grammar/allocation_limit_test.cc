#include "common/grammar/allocation_limit.h"

#include <gtest/gtest.h>
#include <xgrammar/compiler.h>
#include <xgrammar/matcher.h>

#include <algorithm>
#include <exception>
#include <string>

#include "common/grammar/grammar_testing.h"
#include "common/grammar/library_types.h"

namespace terminus::grammar {
namespace {

constexpr AllocationLimit::Options kAmple = {.bytes = int64_t{1} << 40,
                                             .cpu_time = absl::InfiniteDuration()};

// What the library does for each of them reaches other parts of it.
struct Case {
  const char* name;
  bool regex;
  const char* text;
};
const Case kCases[] = {
    {"object", false,
     R"({"type": "object", "properties": {"a": {"type": "integer", "minimum": 3, "maximum": 70},
         "b": {"type": "array", "items": {"$ref": "#"}, "maxItems": 4},
         "c": {"type": "string", "pattern": "^[a-c]{1,9}$"}}, "required": ["b"]})"},
    {"choices", false,
     R"({"anyOf": [{"enum": ["a", "b", 3]}, {"type": "number"}, {"const": {}}]})"},
    {"regex", true, "(a|[b-f]+){2,9}é.*\\d{3}"},
    {"bad schema", false, R"({"type": "string", "pattern": "("})"},
    {"bad regex", true, "(((a{3,4})*"},
};

void Compile(const Case& source, const Vocabulary& vocabulary) {
  const xgrammar::GrammarCompiler compiler(vocabulary.library().tokenizer, 1, false);
  try {
    xgrammar::GrammarCompiler copy = compiler;
    const xgrammar::CompiledGrammar compiled =
        source.regex ? copy.CompileRegex(source.text) : copy.CompileJSONSchema(source.text);
    xgrammar::GrammarMatcher matcher(compiled);
    static_cast<void>(matcher.AcceptToken('a'));
    static_cast<void>(matcher.AcceptString("bcdef\xc3\xa9zz123"));
  } catch (const std::exception&) {
    // A source that is wrong.
  }
}

// Text that the standard library's streams made is freed by the library without having counted, so
// that less than nothing may be held.
//
// An exception out of any allocation leaves nothing behind, and ends no process: the library holds
// up wherever it is stopped.
TEST(AllocationLimit, TheLibraryCanBeStoppedAtEveryAllocation) {
  const auto vocabulary = testing::MakeVocabulary();
  for (const Case& source : kCases) {
    Compile(source, *vocabulary);  // Makes what the library makes only once.
    int64_t allocations = 0;
    {
      AllocationLimit limit(kAmple);
      Compile(source, *vocabulary);
      allocations = limit.allocations();
      EXPECT_LE(limit.held_bytes(), 0) << source.name;
    }
    ASSERT_GT(allocations, 50) << source.name << ": the library allocates by other means";
    const int64_t stride = std::max<int64_t>(1, allocations / 400);
    for (int64_t at = 1; at <= allocations; at += at < 200 ? 1 : stride) {
      AllocationLimit limit(kAmple);
      limit.FailAt(at);
      EXPECT_THROW(Compile(source, *vocabulary), LimitExceeded) << source.name << " at " << at;
      EXPECT_EQ(limit.reason(), AllocationLimit::Reason::kTest);
      EXPECT_LE(limit.held_bytes(), 0) << source.name << " at " << at;
    }
  }
}

TEST(AllocationLimit, CountsWhatIsHeld) {
  const auto vocabulary = testing::MakeVocabulary();
  const auto grammar = testing::CompileRegex("[a-z]+");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  AllocationLimit limit(kAmple);
  {
    const xgrammar::GrammarMatcher matcher((*grammar)->library().compiled);
    EXPECT_GT(limit.held_bytes(), 100);
  }
  EXPECT_EQ(limit.held_bytes(), 0);
  const std::string ours(100'000, 'x');
  EXPECT_EQ(limit.held_bytes(), 0) << "only the library's memory counts";
}

}  // namespace
}  // namespace terminus::grammar
