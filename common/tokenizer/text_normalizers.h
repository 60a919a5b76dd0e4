#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/tokenizer/normalizer.h"
#include "common/tokenizer/regex.h"

// The small normalizers of tokenizer.json.
namespace terminus::tokenizer {

// Each character in lower case, regardless of its neighbours: "Lowercase".
class LowercaseNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return true; }
};

// Without the white space at the ends: "Strip".
class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return !left_; }

 private:
  const bool left_;
  const bool right_;
};

// Without combining marks; what is composed stays: "StripAccents".
class StripAccentsNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return false; }
};

// Without control characters, other separators as blanks: "Nmt".
class NmtNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return false; }
};

// Something in front of text that is not empty: "Prepend".
class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return true; }

 private:
  const std::string prefix_;
};

// The bytes of the text as characters, see byte_level.h: "ByteLevel".
class ByteLevelNormalizer : public Normalizer {
 public:
  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override { return true; }
};

// One text in the place of another, or of what a pattern matches: "Replace", of normalizers and
// decoders.
class ReplaceNormalizer : public Normalizer {
 public:
  static absl::StatusOr<std::unique_ptr<const ReplaceNormalizer>> FromJson(const JsonNode& section);

  void Normalize(absl::string_view text, std::string& out) const override;
  bool KeepsBeginning() const override;

 private:
  std::string text_;  // what is looked for, where there is no pattern; not empty
  std::unique_ptr<const Regex> pattern_;
  std::string content_;
};

}  // namespace terminus::tokenizer
