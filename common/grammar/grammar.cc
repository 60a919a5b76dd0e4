#include "common/grammar/grammar.h"

#include <xgrammar/grammar.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/grammar/allocation_limit.h"
#include "common/grammar/library_types.h"

namespace terminus::grammar {
namespace {

// White space in a row inside a JSON value: room for indented lines, and an end to a model that
// would write nothing else.
constexpr int kMaxWhitespace = 32;
constexpr char kAnyObject[] = R"({"type": "object", "additionalProperties": true})";

xgrammar::Grammar Parse(const Source& source) {
  if (source.kind == Source::Kind::kRegex) {
    return xgrammar::Grammar::FromRegex(source.text);
  }
  return xgrammar::Grammar::FromJSONSchema(
      source.kind == Source::Kind::kJsonObject ? kAnyObject : source.text,
      /*any_whitespace=*/true, /*indent=*/std::nullopt, /*separators=*/std::nullopt,
      /*strict_mode=*/true, kMaxWhitespace);
}

// A grammar of one text, which is plain ASCII without a quote.
xgrammar::Grammar Literal(const std::string& text) {
  return xgrammar::Grammar::FromEBNF(absl::StrCat("root ::= \"", text, "\"\n"));
}

// A blank is all that a tokenizer drops in practice. Anything that would need an escape is refused.
bool IsPlain(const std::string& text) { return text.find_first_not_of(' ') == std::string::npos; }

// The library's messages begin with the check that failed, for its own people.
std::string Reason(absl::string_view message) {
  const size_t behind = message.find(") is false: ");
  if (absl::StartsWith(message, "Check failed: (") && behind != absl::string_view::npos) {
    message.remove_prefix(behind + sizeof(") is false: ") - 1);
  }
  return std::string(absl::StripTrailingAsciiWhitespace(message));
}

absl::Status LimitStatus(AllocationLimit::Reason reason, const Limits& limits) {
  switch (reason) {
    case AllocationLimit::Reason::kCancelled:
      return absl::CancelledError("the compilation is no longer needed");
    case AllocationLimit::Reason::kBytes:
      return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonFormatTooLarge,
                             absl::StrCat("compiling it takes more than ",
                                          limits.compile_bytes >> 20, " MiB of memory"));
    default:
      return base::MakeError(
          absl::StatusCode::kInvalidArgument, base::kReasonFormatTooSlow,
          absl::StrCat("compiling it takes more than ", absl::FormatDuration(limits.compile_time)));
  }
}

absl::StatusOr<xgrammar::CompiledGrammar> CompileParsed(const Source& source,
                                                        const Vocabulary& vocabulary) {
  xgrammar::Grammar grammar = Parse(source);
  if (!vocabulary.lead().empty()) {
    if (!IsPlain(vocabulary.lead())) {
      return absl::FailedPreconditionError(
          "the model's tokenizer drops other characters than blanks from the beginning of a text: "
          "its answers cannot follow a grammar");
    }
    grammar = xgrammar::Grammar::Concat({Literal(vocabulary.lead()), grammar});
  }
  return xgrammar::GrammarCompiler(vocabulary.library().tokenizer, /*max_threads=*/1,
                                   /*cache_enabled=*/false)
      .CompileGrammar(grammar);
}

// The library's work, with what it throws made a status.
absl::StatusOr<xgrammar::CompiledGrammar> CompileBounded(const Source& source,
                                                         const Vocabulary& vocabulary,
                                                         const Limits& limits,
                                                         const std::atomic<bool>* cancelled) {
  LibraryWarnings warnings;
  AllocationLimit limit(
      {.bytes = limits.compile_bytes, .cpu_time = limits.compile_time, .cancelled = cancelled});
  try {
    absl::StatusOr<xgrammar::CompiledGrammar> compiled = CompileParsed(source, vocabulary);
    // What it only warns of, an answer would not keep to.
    if (compiled.ok() && !warnings.all().empty()) {
      return absl::InvalidArgumentError(Reason(warnings.all().front()));
    }
    return compiled;
  } catch (const LimitExceeded&) {
    return LimitStatus(limit.reason(), limits);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(Reason(error.what()));
  }
}

// INVALID_ARGUMENT when no token may begin an answer, or finding those that may takes too long.
absl::Status CheckFirstToken(const std::shared_ptr<const Grammar>& grammar) {
  std::vector<uint32_t> mask(grammar->vocabulary().mask_words());
  absl::Status status = Matcher(grammar).FillMask(absl::MakeSpan(mask));
  return absl::IsFailedPrecondition(status)
             ? absl::InvalidArgumentError("no text that the model's tokens can begin satisfies it")
             : status;
}

}  // namespace

Grammar::Grammar() = default;
Grammar::~Grammar() = default;

absl::StatusOr<std::shared_ptr<const Grammar>> Grammar::Compile(
    const Source& source, std::shared_ptr<const Vocabulary> vocabulary, const Limits& limits,
    const std::atomic<bool>* cancelled) {
  TERMINUS_RETURN_IF_ERROR(CheckSource(source, limits.source_bytes));
  TERMINUS_ASSIGN_OR_RETURN(xgrammar::CompiledGrammar compiled,
                            CompileBounded(source, *vocabulary, limits, cancelled));
  std::shared_ptr<Grammar> grammar(new Grammar);
  grammar->vocabulary_ = std::move(vocabulary);
  grammar->limits_ = limits;
  grammar->json_ = source.kind != Source::Kind::kRegex;
  grammar->bytes_ = static_cast<int64_t>(compiled.MemorySizeBytes() + source.text.size());
  grammar->library_ = std::make_unique<const Library>(Library{std::move(compiled)});
  TERMINUS_RETURN_IF_ERROR(CheckFirstToken(grammar));
  return grammar;
}

}  // namespace terminus::grammar
