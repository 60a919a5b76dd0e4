#include "services/decoder/edge/grammar_constraint.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/errors.h"

namespace terminus::services::decoder::edge {
namespace {

class GrammarConstraint final : public pipeline::TokenConstraint {
 public:
  GrammarConstraint(std::shared_ptr<const grammar::Grammar> grammar, grammar::Source::Kind kind)
      : matcher_(std::move(grammar)), kind_(kind) {}

  absl::Status Advance(absl::Span<const int32_t> tokens, absl::Span<uint32_t> mask) override {
    for (const int32_t token : tokens) {
      if (!matcher_.Accept(token)) {
        return base::MakeError(
            absl::StatusCode::kInternal, base::kReasonInternal,
            absl::StrCat("token ", token, " was sampled, which the output format does not allow"));
      }
    }
    return FormatError(matcher_.FillMask(mask), kind_);
  }

 private:
  grammar::Matcher matcher_;
  const grammar::Source::Kind kind_;
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

// Attaches the reason if the status has none.
void AttachReason(absl::Status& status, absl::string_view reason) {
  if (base::Reason(status).empty()) {
    base::Attach(status, reason, "");
  }
}

}  // namespace

pipeline::ConstraintFactory ConstraintsOf(std::shared_ptr<const grammar::Grammar> grammar,
                                          grammar::Source::Kind kind) {
  return [grammar = std::move(grammar), kind] {
    return std::make_unique<GrammarConstraint>(grammar, kind);
  };
}

absl::Status FormatError(const absl::Status& status, grammar::Source::Kind kind) {
  absl::Status error = status;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return error;
    case absl::StatusCode::kInvalidArgument:
      AttachReason(error, base::kReasonInvalidRequest);
      base::Attach(error, "", FieldOf(kind));
      return error;
    case absl::StatusCode::kFailedPrecondition:
      AttachReason(error, base::kReasonNoOutputFormat);
      base::Attach(error, "", FieldOf(kind));
      return error;
    case absl::StatusCode::kResourceExhausted:
      AttachReason(error, base::kReasonOverloaded);
      return base::WithRetryDelay(error, absl::Seconds(1));
    case absl::StatusCode::kDeadlineExceeded:
      AttachReason(error, base::kReasonDeadline);
      return error;
    case absl::StatusCode::kCancelled:
      AttachReason(error, base::kReasonCancelled);
      return error;
    case absl::StatusCode::kUnavailable:
      AttachReason(error, base::kReasonModelNotLoaded);
      return error;
    default:
      AttachReason(error, base::kReasonInternal);
      return error;
  }
}

absl::Status AnswerError(const absl::Status& status, grammar::Source::Kind kind) {
  if (base::Reason(status) != base::kReasonNoTokenLeft || !base::Field(status).empty()) {
    return status;
  }
  return FormatError(base::Annotate(status, "of the tokens that the output format allows"), kind);
}

}  // namespace terminus::services::decoder::edge
