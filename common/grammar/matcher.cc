#include <dlpack/dlpack.h>
#include <xgrammar/matcher.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "common/base/check.h"
#include "common/grammar/allocation_limit.h"
#include "common/grammar/grammar.h"
#include "common/grammar/library_types.h"

namespace terminus::grammar {
namespace {

// Of one answer's state. What a text needs grows with its length; an ordinary schema takes some KiB
// in a thousand tokens.
constexpr int64_t kMatcherBytes = 64 << 20;
// Of the processor. What takes longer would hold up other answers, most of all the engine's thread,
// which has tokens accepted.
constexpr absl::Duration kMaskTime = absl::Milliseconds(100);
constexpr absl::Duration kAcceptTime = absl::Milliseconds(20);

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
    : grammar_(std::move(grammar)), bytes_left_(kMatcherBytes) {
  Bounded(kAcceptTime, [this] {
    library_ =
        std::make_unique<Library>(Library{xgrammar::GrammarMatcher(grammar_->library().compiled)});
    return true;
  });
}

Matcher::~Matcher() = default;

template <typename Step>
bool Matcher::Bounded(absl::Duration time, Step step) {
  if (failed_) {
    return false;
  }
  AllocationLimit limit({.bytes = bytes_left_, .cpu_time = time});
  bool done = false;
  try {
    done = step();
  } catch (const LimitExceeded&) {
    failed_ = true;
  } catch (const std::exception&) {
    failed_ = true;
  }
  bytes_left_ -= limit.held_bytes();
  return done;
}

bool Matcher::MayComeFirst(int32_t token) const {
  const std::vector<int32_t>& not_first = grammar_->vocabulary().not_first();
  return !std::binary_search(not_first.begin(), not_first.end(), token);
}

void Matcher::FillMask(absl::Span<uint32_t> mask) {
  TERMINUS_CHECK(mask.size() == grammar_->vocabulary().mask_words());
  const bool filled = !terminated_ && Bounded(kMaskTime, [&] {
    int64_t shape = 0;
    DLTensor tensor = TensorOver(mask, shape);
    // False says that all bits are set, which they are then.
    library_->matcher.FillNextTokenBitmask(&tensor);
    return true;
  });
  if (!filled) {
    std::fill(mask.begin(), mask.end(), 0);
    return;
  }
  if (!begun_) {
    for (const int32_t token : grammar_->vocabulary().not_first()) {
      mask[static_cast<size_t>(token) / 32] &= ~(uint32_t{1} << (token % 32));
    }
  }
}

bool Matcher::Accept(int32_t token) {
  if (terminated_ || (!begun_ && !MayComeFirst(token))) {
    return false;
  }
  const bool could = !failed_;
  const bool accepted = Bounded(kAcceptTime, [&] { return library_->matcher.AcceptToken(token); });
  if (accepted) {
    begun_ = true;
    terminated_ = library_->matcher.IsTerminated();
  }
  // Taken, though nothing can follow.
  return accepted || (could && failed_);
}

}  // namespace terminus::grammar
