#include "services/decoder/edge/grammar_constraint.h"

#include <utility>

#include "absl/time/time.h"
#include "common/base/errors.h"

namespace terminus::services::decoder::edge {
namespace {

class GrammarConstraint final : public pipeline::TokenConstraint {
 public:
  explicit GrammarConstraint(std::shared_ptr<const grammar::Grammar> grammar)
      : matcher_(std::move(grammar)) {}

  void FillMask(absl::Span<uint32_t> mask) override { matcher_.FillMask(mask); }
  bool Accept(int32_t token) override { return matcher_.Accept(token); }

 private:
  grammar::Matcher matcher_;
};

absl::string_view FieldOf(grammar::Source::Kind kind) {
  switch (kind) {
    case grammar::Source::Kind::kJsonSchema:
      return "json_schema";
    case grammar::Source::Kind::kJsonObject:
      return "json_object";
    case grammar::Source::Kind::kRegex:
      return "regex";
  }
  return "";
}

}  // namespace

pipeline::ConstraintFactory ConstraintsOf(std::shared_ptr<const grammar::Grammar> grammar) {
  return [grammar = std::move(grammar)] { return std::make_unique<GrammarConstraint>(grammar); };
}

absl::Status FormatError(const absl::Status& status, grammar::Source::Kind kind) {
  absl::Status error = status;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      base::Attach(error, base::kReasonInvalidRequest, FieldOf(kind));
      return error;
    case absl::StatusCode::kFailedPrecondition:
      base::Attach(error, base::kReasonNoOutputFormat, FieldOf(kind));
      return error;
    case absl::StatusCode::kResourceExhausted:
      base::Attach(error, base::kReasonOverloaded, "");
      return base::WithRetryDelay(error, absl::Seconds(1));
    case absl::StatusCode::kDeadlineExceeded:
      base::Attach(error, base::kReasonDeadline, "");
      return error;
    case absl::StatusCode::kCancelled:
      base::Attach(error, base::kReasonCancelled, "");
      return error;
    default:
      base::Attach(error, base::kReasonModelNotLoaded, "");
      return error;
  }
}

}  // namespace terminus::services::decoder::edge
