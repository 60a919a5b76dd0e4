#include <dlpack/dlpack.h>
#include <xgrammar/matcher.h>

#include <algorithm>
#include <exception>
#include <string>
#include <utility>
#include <vector>

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
  const bool could = !failed_;
  const bool accepted = Bounded(kAcceptTime, [&] { return library_->matcher.AcceptToken(token); });
  if (accepted) {
    begun_ = true;
    AdvanceUtf8(grammar_->vocabulary().BytesOf(token), pending_);
    terminated_ = library_->matcher.IsTerminated();
  }
  // Taken, though nothing can follow.
  return accepted || (could && failed_);
}

}  // namespace terminus::grammar
