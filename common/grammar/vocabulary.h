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

  // Tokens that are in no text: bytes in them, behind whatever stands in front, are not UTF-8.
  // Ascending.
  const std::vector<int32_t>& broken() const { return broken_; }
  // Tokens that begin inside a character. Ascending.
  const std::vector<int32_t>& continuing() const { return continuing_; }
  // Tokens with control characters other than line feed. Ascending.
  const std::vector<int32_t>& control() const { return control_; }

  // The form of the grammar library.
  struct Library;
  const Library& library() const { return *library_; }

 private:
  Vocabulary();
  // Fills broken_, continuing_ and control_.
  void SortBytes();

  std::vector<std::string> bytes_;  // by id
  std::vector<int32_t> end_tokens_;
  std::string lead_;
  std::vector<int32_t> not_first_;
  std::unique_ptr<const Library> library_;
  std::vector<int32_t> broken_;
  std::vector<int32_t> continuing_;
  std::vector<int32_t> control_;
};

// Adds bytes to a text of which `pending` are the last ones, those of a character that is not
// complete; it has those of the longer text then. False: the longer text is not the beginning of
// one that is UTF-8.
bool AdvanceUtf8(const std::string& bytes, std::string& pending);

}  // namespace terminus::grammar
