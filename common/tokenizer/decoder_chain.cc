#include "common/tokenizer/decoder_chain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/token_stages.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

// A stage that looks at one token at a time.
class EachToken : public ChainStage {
 public:
  explicit EachToken(std::unique_ptr<const TokenStage> stage) : stage_(std::move(stage)) {}
  void Apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = stage_->Apply(std::move(tokens[i]), i == 0);
    }
  }

 private:
  const std::unique_ptr<const TokenStage> stage_;
};

class FuseStage : public ChainStage {
 public:
  void Apply(std::vector<std::string>& tokens) const override {
    tokens = {absl::StrJoin(tokens, "")};
  }
};

class ByteLevelStage : public ChainStage {
 public:
  void Apply(std::vector<std::string>& tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) bytes += BytesOfByteLevel(token).value_or(token);
    std::string text;
    AppendLossyUtf8(bytes, /*more_to_come=*/false, text);
    tokens = {std::move(text)};
  }
};

class ByteFallbackStage : public ChainStage {
 public:
  void Apply(std::vector<std::string>& tokens) const override {
    std::vector<std::string> out;
    std::string bytes;
    const auto end_bytes = [&] {
      if (IsValidUtf8(bytes)) {
        if (!bytes.empty()) out.push_back(bytes);
      } else {
        // One token for each byte.
        out.insert(out.end(), bytes.size(), "\xef\xbf\xbd");
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = ByteOfToken(token); byte) {
        bytes.push_back(*byte);
        continue;
      }
      end_bytes();
      out.push_back(std::move(token));
    }
    end_bytes();
    tokens = std::move(out);
  }
};

class BpeStage : public ChainStage {
 public:
  explicit BpeStage(std::string suffix) : suffix_(std::move(suffix)) {}
  void Apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = absl::StrReplaceAll(tokens[i], {{suffix_, i + 1 == tokens.size() ? "" : " "}});
    }
  }

 private:
  const std::string suffix_;
};

// Connectionist temporal classification (Graves et al., 2006): a token that repeats stands once,
// and the pad token keeps apart those that are meant twice.
class CtcStage : public ChainStage {
 public:
  CtcStage(std::string pad, std::string delimiter, bool cleanup)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}
  void Apply(std::vector<std::string>& tokens) const override {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    std::vector<std::string> out;
    for (const std::string& token : tokens) {
      std::string text = absl::StrReplaceAll(token, {{pad_, ""}});
      if (cleanup_) text = absl::StrReplaceAll(CleanUpBlanks(std::move(text)), {{delimiter_, " "}});
      if (!text.empty()) out.push_back(std::move(text));
    }
    tokens = std::move(out);
  }

 private:
  const std::string pad_;
  const std::string delimiter_;
  const bool cleanup_;
};

// A member that is text, not empty.
absl::StatusOr<std::string> SomeText(const JsonNode& section, const char* key) {
  const JsonNode node = section.Member(key);
  TERMINUS_ASSIGN_OR_RETURN(std::string text, node.String());
  if (text.empty()) return node.Unexpected("text that is not empty");
  return text;
}

absl::StatusOr<std::unique_ptr<const ChainStage>> MakeStage(const JsonNode& section) {
  if (section.HasType("Fuse")) return std::make_unique<FuseStage>();
  if (section.HasType("ByteLevel")) return std::make_unique<ByteLevelStage>();
  if (section.HasType("ByteFallback")) return std::make_unique<ByteFallbackStage>();
  if (section.HasType("BPEDecoder")) {
    TERMINUS_ASSIGN_OR_RETURN(std::string suffix, SomeText(section, "suffix"));
    return std::make_unique<BpeStage>(std::move(suffix));
  }
  if (section.HasType("CTC")) {
    TERMINUS_ASSIGN_OR_RETURN(std::string pad, SomeText(section, "pad_token"));
    TERMINUS_ASSIGN_OR_RETURN(std::string delimiter, SomeText(section, "word_delimiter_token"));
    TERMINUS_ASSIGN_OR_RETURN(const bool cleanup, section.Member("cleanup").Bool());
    return std::make_unique<CtcStage>(std::move(pad), std::move(delimiter), cleanup);
  }
  TERMINUS_ASSIGN_OR_RETURN(auto stage, MakeTokenStage(section));
  return std::make_unique<EachToken>(std::move(stage));
}

}  // namespace

absl::StatusOr<DecoderChain> MakeDecoderChain(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(const auto flat, section.Flattened("decoders"));
  DecoderChain chain;
  for (const JsonNode& element : flat) {
    TERMINUS_RETURN_IF_ERROR(element.ExpectType("decoder"));
    TERMINUS_ASSIGN_OR_RETURN(chain.emplace_back(), MakeStage(element));
  }
  return chain;
}

std::string RunChain(const DecoderChain& chain, std::vector<std::string> tokens) {
  for (const auto& stage : chain) stage->Apply(tokens);
  return absl::StrJoin(tokens, "");
}

std::string TextOfBytes(const std::string& bytes) {
  if (IsValidUtf8(bytes)) return bytes;
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) text += "\xef\xbf\xbd";
  return text;
}

}  // namespace terminus::tokenizer
