#include <dlpack/dlpack.h>
#include <xgrammar/matcher.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/grammar/allocation_limit.h"
#include "common/grammar/grammar.h"
#include "common/grammar/library_types.h"

namespace terminus::grammar {
namespace {

DLTensor TensorOver(absl::Span<uint32_t> mask, int64_t& shape) {
  shape = static_cast<int64_t>(mask.size());
  DLTensor tensor = {};
  tensor.data = mask.data();
  tensor.device = {kDLCPU, 0};
  tensor.ndim = 1;
  tensor.dtype = {kDLInt, 32, 1};
  tensor.shape = &shape;
  return tensor;
}

}  // namespace

struct Matcher::Library {
  xgrammar::GrammarMatcher matcher;
};

Matcher::Matcher(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)),
      bytes_left_(grammar_->limits().answer_bytes),
      time_left_(grammar_->limits().token_time) {
  Bounded([this] {
    library_ =
        std::make_unique<Library>(Library{xgrammar::GrammarMatcher(grammar_->library().compiled)});
    return true;
  });
}

Matcher::~Matcher() = default;

absl::Status Matcher::FailureOf(AllocationLimit::Reason reason) const {
  const Limits& limits = grammar_->limits();
  if (reason == AllocationLimit::Reason::kBytes) {
    return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonFormatTooLarge,
                           absl::StrCat("following an answer takes more than ",
                                        limits.answer_bytes >> 20, " MiB of memory"));
  }
  return base::MakeError(absl::StatusCode::kInvalidArgument, base::kReasonFormatTooSlow,
                         absl::StrCat("finding the tokens that may come next takes more than ",
                                      absl::FormatDuration(limits.token_time)));
}

template <typename Step>
bool Matcher::Bounded(Step step) {
  if (!failure_.ok()) {
    return false;
  }
  AllocationLimit limit({.bytes = bytes_left_, .cpu_time = time_left_});
  bool done = false;
  try {
    done = step();
  } catch (const LimitExceeded&) {
    failure_ = FailureOf(limit.reason());
  } catch (const std::exception& error) {
    failure_ = absl::InternalError(absl::StrCat("the grammar library failed: ", error.what()));
  }
  bytes_left_ -= limit.held_bytes();
  time_left_ -= limit.used_time();
  return done;
}

bool Matcher::FitsText(int32_t token) const {
  const Vocabulary& vocabulary = grammar_->vocabulary();
  const auto is_in = [token](const std::vector<int32_t>& tokens) {
    return std::binary_search(tokens.begin(), tokens.end(), token);
  };
  if (is_in(vocabulary.broken()) || (grammar_->json() && is_in(vocabulary.control())) ||
      (!begun_ && is_in(vocabulary.not_first()))) {
    return false;
  }
  std::string pending = pending_;
  return !is_in(vocabulary.continuing()) || AdvanceUtf8(vocabulary.BytesOf(token), pending);
}

absl::Status Matcher::FillMask(absl::Span<uint32_t> mask) {
  TERMINUS_CHECK(mask.size() == grammar_->vocabulary().mask_words());
  const bool filled = !terminated_ && Bounded([&] {
    int64_t shape = 0;
    DLTensor tensor = TensorOver(mask, shape);
    // False says that all bits are set, which they are then.
    library_->matcher.FillNextTokenBitmask(&tensor);
    return true;
  });
  time_left_ = grammar_->limits().token_time;
  if (!filled) {
    std::fill(mask.begin(), mask.end(), 0);
    return failure_;
  }
  ClearTokensOutsideOfTexts(mask);
  if (std::all_of(mask.begin(), mask.end(), [](uint32_t word) { return word == 0; })) {
    failure_ = base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNoTokenLeft,
                               "no token of the model continues the answer");
  }
  return failure_;
}

void Matcher::ClearTokensOutsideOfTexts(absl::Span<uint32_t> mask) const {
  const Vocabulary& vocabulary = grammar_->vocabulary();
  const auto clear = [&mask](int32_t token) {
    mask[static_cast<size_t>(token) / 32] &= ~(uint32_t{1} << (token % 32));
  };
  std::for_each(vocabulary.broken().begin(), vocabulary.broken().end(), clear);
  if (grammar_->json()) {
    std::for_each(vocabulary.control().begin(), vocabulary.control().end(), clear);
  }
  if (!begun_) {
    std::for_each(vocabulary.not_first().begin(), vocabulary.not_first().end(), clear);
  }
  // Outside of a character the grammar allows none of them.
  if (!pending_.empty()) {
    for (const int32_t token : vocabulary.continuing()) {
      if (!FitsText(token)) clear(token);
    }
  }
}

bool Matcher::Accept(int32_t token) {
  if (terminated_ || token < 0 || token >= grammar_->vocabulary().size() || !FitsText(token)) {
    return false;
  }
  const bool could = failure_.ok();
  const bool accepted = Bounded([&] { return library_->matcher.AcceptToken(token); });
  if (accepted) {
    begun_ = true;
    AdvanceUtf8(grammar_->vocabulary().BytesOf(token), pending_);
    terminated_ = library_->matcher.IsTerminated();
  }
  return accepted || (could && !failure_.ok());
}

}  // namespace terminus::grammar
