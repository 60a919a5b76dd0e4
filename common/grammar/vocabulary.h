#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tokenizer/tokenizer.h"

namespace terminus::grammar {

// The bytes that each token of a model adds to an answer, in the form that grammars are compiled
// against. Immutable: any thread may use it.
class Vocabulary {
 public:
  // `size`: one more than the largest id that the model may give. Ids below it that are no tokens,
  // and special tokens, add nothing and are never allowed. `end_tokens` end an answer; those that
  // are not below `size` do not count.
  //
  // FAILED_PRECONDITION when no grammar can be followed: the text of a token depends on the tokens
  // behind it, or nothing ends an answer.
  static absl::StatusOr<std::shared_ptr<const Vocabulary>> Create(
      const tokenizer::Tokenizer& tokenizer, int size, absl::Span<const int32_t> end_tokens);

  // The same from what is known already; `bytes` by id.
  static absl::StatusOr<std::shared_ptr<const Vocabulary>> FromBytes(
      std::vector<std::string> bytes, absl::Span<const int32_t> end_tokens, std::string lead = "",
      std::vector<int32_t> not_first = {});

  ~Vocabulary();
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;

  int size() const { return static_cast<int>(bytes_.size()); }
  // 32-bit words of a mask with one bit for each token.
  size_t mask_words() const { return (bytes_.size() + 31) / 32; }

  // What a token adds where it is not the first; empty where it adds nothing. Requires: it is below
  // size().
  const std::string& BytesOf(int32_t token) const { return bytes_[static_cast<size_t>(token)]; }

  const std::vector<int32_t>& end_tokens() const { return end_tokens_; }

  // An answer's bytes begin with this, and its text lacks it: a tokenizer with blanks in front of
  // words drops the first one.
  const std::string& lead() const { return lead_; }
  // Tokens that would add other bytes if they came first. Ascending.
  const std::vector<int32_t>& not_first() const { return not_first_; }

  // The form of the grammar library.
  struct Library;
  const Library& library() const { return *library_; }

 private:
  Vocabulary();

  std::vector<std::string> bytes_;  // by id
  std::vector<int32_t> end_tokens_;
  std::string lead_;
  std::vector<int32_t> not_first_;
  std::unique_ptr<const Library> library_;
};

}  // namespace terminus::grammar
