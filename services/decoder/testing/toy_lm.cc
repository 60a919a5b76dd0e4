#include "services/decoder/testing/toy_lm.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"

namespace terminus::services::decoder::testing {
namespace {

constexpr int kBlockTokens = models::decoder::kKvBlockTokens;

uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// Returns the value that stands for a row of soft tokens. It is below every token id.
int64_t SoftCell(const models::decoder::SoftTokens& soft, int32_t row) {
  return -2 - static_cast<int64_t>(Mix(soft.content_hash + static_cast<uint64_t>(row)) >> 8);
}

// [vocab_size], from the whole context.
std::vector<float> LogitsOf(const ToyLm::Options& options, const std::vector<int64_t>& context) {
  uint64_t hash = 1;
  for (const int64_t token : context) {
    hash = Mix(hash + static_cast<uint64_t>(token) + 1);
  }
  std::vector<float> logits;
  for (int token = 0; token < options.vocab_size; ++token) {
    const float draw = static_cast<float>(Mix(hash ^ (uint64_t(token) << 32)) % 10'000) / 2'000;
    const bool likely = token >= options.first_likely && token < options.first_special;
    logits.push_back(likely ? draw : -30.0f);
  }
  if (options.eos_token >= 0) {
    const bool ends = hash % static_cast<uint64_t>(options.eos_period) == 0;
    logits[static_cast<size_t>(options.eos_token)] = ends ? 30.0f : -30.0f;
  }
  if (!context.empty() && context.back() == options.poison_token) {
    logits.front() = std::numeric_limits<float>::quiet_NaN();
  }
  return logits;
}

}  // namespace

ToyLm::ToyLm(Options options)
    : options_(std::move(options)),
      memory_(static_cast<size_t>(options_.kv_blocks) * kBlockTokens) {}

absl::StatusOr<std::vector<int64_t>> ToyLm::ReadBack(absl::Span<const int32_t> blocks,
                                                     int32_t length) const {
  std::vector<int64_t> context;
  for (int32_t position = 0; position < length; ++position) {
    const auto block = static_cast<size_t>(blocks[static_cast<size_t>(position / kBlockTokens)]);
    const Cell& cell =
        memory_.at(block * kBlockTokens + static_cast<size_t>(position % kBlockTokens));
    if (cell.position != position) {
      return absl::InternalError(absl::StrCat("block ", block, " holds position ", cell.position,
                                              " where ", position, " should be"));
    }
    context.push_back(cell.token);
  }
  return context;
}

absl::StatusOr<models::decoder::Logits> ToyLm::Forward(const models::decoder::StepInput& input) {
  if (options_.on_step) {
    options_.on_step(input);
  }
  logits_.clear();
  std::vector<int64_t> tokens(input.token_ids.begin(), input.token_ids.end());
  for (const models::decoder::SoftSpan& span : input.soft) {
    for (int32_t i = 0; i < span.rows; ++i) {
      tokens.at(static_cast<size_t>(span.first_token + i)) =
          SoftCell(*span.tokens, span.first_row + i);
    }
  }
  size_t wanted = 0;
  for (size_t s = 0; s + 1 < input.query_indptr.size(); ++s) {
    const auto first = static_cast<size_t>(input.query_indptr[s]);
    const auto end = static_cast<size_t>(input.query_indptr[s + 1]);
    const auto blocks =
        input.kv.indices.subspan(static_cast<size_t>(input.kv.indptr[s]),
                                 static_cast<size_t>(input.kv.indptr[s + 1] - input.kv.indptr[s]));
    const int32_t length =
        (static_cast<int32_t>(blocks.size()) - 1) * kBlockTokens + input.kv.last_page_len[s];
    if (first >= end || input.positions[end - 1] != length - 1) {
      return absl::InternalError(
          absl::StrCat("sequence ", s, " has ", length, " tokens in blocks"));
    }
    for (size_t t = first; t < end; ++t) {
      if (tokens[t] == options_.throwing_token) {
        throw std::runtime_error("the device is gone");
      }
      const int32_t position = input.positions[t];
      const auto block = static_cast<size_t>(blocks[static_cast<size_t>(position / kBlockTokens)]);
      memory_.at(block * kBlockTokens + static_cast<size_t>(position % kBlockTokens)) = {tokens[t],
                                                                                         position};
    }
    for (; wanted < input.logits_tokens.size() &&
           static_cast<size_t>(input.logits_tokens[wanted]) < end;
         ++wanted) {
      const int32_t position = input.positions[static_cast<size_t>(input.logits_tokens[wanted])];
      const auto context = ReadBack(blocks, position + 1);
      if (!context.ok()) {
        return context.status();
      }
      const std::vector<float> row = LogitsOf(options_, *context);
      logits_.insert(logits_.end(), row.begin(), row.end());
    }
  }
  return models::decoder::Logits{
      .rows = static_cast<int>(wanted), .vocab_size = options_.vocab_size, .values = logits_};
}

absl::StatusOr<models::decoder::HiddenStates> ToyLm::ForwardHidden(
    const models::decoder::StepInput& /*input*/) {
  return absl::UnimplementedError("the toy is one stage");
}

std::vector<int32_t> ToyLm::Greedy(const Options& options, std::vector<int32_t> prompt, int tokens,
                                   absl::Span<const models::decoder::SoftSpan> soft) {
  std::vector<int64_t> context(prompt.begin(), prompt.end());
  for (const models::decoder::SoftSpan& span : soft) {
    for (int32_t i = 0; i < span.rows; ++i) {
      context.at(static_cast<size_t>(span.first_token + i)) =
          SoftCell(*span.tokens, span.first_row + i);
    }
  }
  std::vector<int32_t> answer;
  while (static_cast<int>(answer.size()) < tokens) {
    const std::vector<float> logits = LogitsOf(options, context);
    const auto likeliest = std::max_element(logits.begin(), logits.end()) - logits.begin();
    answer.push_back(static_cast<int32_t>(likeliest));
    context.push_back(answer.back());
    if (answer.back() == options.eos_token) {
      break;
    }
  }
  return answer;
}

}  // namespace terminus::services::decoder::testing
