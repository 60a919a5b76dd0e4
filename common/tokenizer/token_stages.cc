#include "common/tokenizer/token_stages.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/metaspace.h"
#include "common/tokenizer/text_normalizers.h"

namespace terminus::tokenizer {
namespace {

constexpr std::pair<const char*, const char*> kCleanups[] = {
    {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
    {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
    {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};

class ReplaceStage : public TokenStage {
 public:
  explicit ReplaceStage(std::unique_ptr<const ReplaceNormalizer> replace)
      : replace_(std::move(replace)) {}

  std::string Apply(std::string token, bool /*first*/) const override {
    std::string out;
    replace_->Normalize(token, out);
    return out;
  }

 private:
  const std::unique_ptr<const ReplaceNormalizer> replace_;
};

// Blanks in the place of a character, but nothing in the first token.
class MetaspaceStage : public TokenStage {
 public:
  explicit MetaspaceStage(Metaspace::Options options) : options_(std::move(options)) {}

  std::string Apply(std::string token, bool first) const override {
    const bool vanishes = first && options_.prepend != Metaspace::Prepend::kNever;
    return absl::StrReplaceAll(token, {{options_.replacement, vanishes ? "" : " "}});
  }

 private:
  const Metaspace::Options options_;
};

class StripStage : public TokenStage {
 public:
  explicit StripStage(StripOptions options) : options_(std::move(options)) {}

  std::string Apply(std::string token, bool /*first*/) const override {
    absl::string_view rest = token;
    for (size_t i = 0; i < options_.start && absl::ConsumePrefix(&rest, options_.content); ++i) {
    }
    for (size_t i = 0; i < options_.stop && absl::ConsumeSuffix(&rest, options_.content); ++i) {
    }
    return std::string(rest);
  }

 private:
  const StripOptions options_;
};

class BlankStage : public TokenStage {
 public:
  std::string Apply(std::string token, bool first) const override {
    return first ? token : " " + token;
  }
};

class WordPieceStage : public TokenStage {
 public:
  WordPieceStage(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}

  std::string Apply(std::string token, bool first) const override {
    if (!first) {
      token = absl::StartsWith(token, prefix_) ? token.substr(prefix_.size()) : " " + token;
    }
    return cleanup_ ? CleanUpBlanks(std::move(token)) : token;
  }

 private:
  const std::string prefix_;
  const bool cleanup_;
};

}  // namespace

absl::StatusOr<StripOptions> StripOptionsFromJson(const JsonNode& section) {
  StripOptions options;
  TERMINUS_ASSIGN_OR_RETURN(options.content, section.Member("content").Character());
  TERMINUS_ASSIGN_OR_RETURN(const int32_t start, section.Member("start").Index());
  TERMINUS_ASSIGN_OR_RETURN(const int32_t stop, section.Member("stop").Index());
  options.start = static_cast<size_t>(start);
  options.stop = static_cast<size_t>(stop);
  return options;
}

absl::StatusOr<std::unique_ptr<const TokenStage>> MakeTokenStage(const JsonNode& section) {
  if (section.HasType("Metaspace")) {
    TERMINUS_ASSIGN_OR_RETURN(Metaspace::Options options, Metaspace::OptionsFromJson(section));
    return std::make_unique<MetaspaceStage>(std::move(options));
  }
  if (section.HasType("Replace")) {
    TERMINUS_ASSIGN_OR_RETURN(auto replace, ReplaceNormalizer::FromJson(section));
    return std::make_unique<ReplaceStage>(std::move(replace));
  }
  if (section.HasType("Strip")) {
    TERMINUS_ASSIGN_OR_RETURN(StripOptions options, StripOptionsFromJson(section));
    return std::make_unique<StripStage>(std::move(options));
  }
  if (section.HasType("WordPiece")) {
    TERMINUS_ASSIGN_OR_RETURN(std::string prefix, section.Member("prefix").String());
    TERMINUS_ASSIGN_OR_RETURN(const bool cleanup, section.Member("cleanup").Bool());
    return std::make_unique<WordPieceStage>(std::move(prefix), cleanup);
  }
  return std::unique_ptr<const TokenStage>();
}

std::string CleanUpBlanks(std::string text) {
  // One after the other: a replacement may be part of what the next looks for.
  for (const auto& [from, to] : kCleanups) text = absl::StrReplaceAll(text, {{from, to}});
  return text;
}

absl::optional<char> ByteOfToken(absl::string_view token) {
  uint32_t byte = 0;
  if (token.size() != 6 || !absl::StartsWith(token, "<0x") || token[5] != '>' ||
      !absl::ascii_isxdigit(static_cast<unsigned char>(token[4])) ||
      !(absl::ascii_isxdigit(static_cast<unsigned char>(token[3])) || token[3] == '+') ||
      !absl::SimpleHexAtoi(token[3] == '+' ? token.substr(4, 1) : token.substr(3, 2), &byte)) {
    return absl::nullopt;
  }
  return static_cast<char>(byte);
}

std::unique_ptr<const TokenStage> MakeBlankStage() { return std::make_unique<BlankStage>(); }

}  // namespace terminus::tokenizer
