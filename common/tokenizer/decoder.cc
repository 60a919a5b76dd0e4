#include "common/tokenizer/decoder.h"

#include <utility>

#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/decoder_chain.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/token_stages.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";

}  // namespace

// Puts the sections of a decoder in the places that a stream has for them; an error for others.
class DecoderReader {
 public:
  absl::StatusOr<std::unique_ptr<const Decoder>> Read(const JsonNode& section) {
    if (section.IsNull()) {
      decoder_->stages_.push_back(MakeBlankStage());
      return std::move(decoder_);
    }
    TERMINUS_ASSIGN_OR_RETURN(const auto flat, section.Flattened("decoders"));
    for (const JsonNode& element : flat) {
      TERMINUS_RETURN_IF_ERROR(element.ExpectType("decoder"));
      if (element.HasType("BPEDecoder") && flat.size() > 1) {
        return element.Error("BPEDecoder is supported only alone");
      }
      TERMINUS_RETURN_IF_ERROR(ReadOne(element));
    }
    return std::move(decoder_);
  }

 private:
  absl::Status ReadOne(const JsonNode& element) {
    if (element.HasType("Fuse")) {
      joined_ = true;
      return absl::OkStatus();
    }
    if (joined_) {
      if (!element.HasType("Strip") || decoder_->strip_count_ > 0) {
        return element.Error("behind Fuse and ByteLevel one Strip is supported, and nothing else");
      }
      TERMINUS_ASSIGN_OR_RETURN(StripOptions options, StripOptionsFromJson(element));
      if (options.stop > 0) return element.Error("the end of the text is not known in a stream");
      decoder_->strip_ = std::move(options.content);
      decoder_->strip_count_ = options.start;
      return absl::OkStatus();
    }
    if (decoder_->byte_fallback_) {
      return element.Error("behind ByteFallback only Fuse is supported");
    }
    if (element.HasType("BPEDecoder")) {
      TERMINUS_ASSIGN_OR_RETURN(decoder_->word_suffix_, element.Member("suffix").String());
      if (decoder_->word_suffix_.empty()) {
        return element.Member("suffix").Unexpected("text that is not empty");
      }
      return absl::OkStatus();
    }
    if (element.HasType("ByteLevel")) {
      decoder_->byte_level_ = joined_ = true;
      return absl::OkStatus();
    }
    if (element.HasType("ByteFallback")) {
      decoder_->byte_fallback_ = true;
      return absl::OkStatus();
    }
    TERMINUS_ASSIGN_OR_RETURN(auto stage, MakeTokenStage(element));
    if (stage == nullptr) return element.Error("looks at all tokens together");
    decoder_->stages_.push_back(std::move(stage));
    return absl::OkStatus();
  }

  std::unique_ptr<Decoder> decoder_ = std::make_unique<Decoder>();
  bool joined_ = false;  // what comes next sees the whole text
};

absl::StatusOr<std::unique_ptr<const Decoder>> Decoder::FromJson(const JsonNode& section) {
  auto streaming = DecoderReader().Read(section);
  if (streaming.ok()) return streaming;
  auto decoder = std::make_unique<Decoder>();
  TERMINUS_ASSIGN_OR_RETURN(decoder->chain_, MakeDecoderChain(section));
  return decoder;
}

std::string Decoder::Staged(std::string token, bool first) const {
  for (const auto& stage : stages_) token = stage->Apply(std::move(token), first);
  return token;
}

std::string Decoder::BytesOf(absl::string_view token, bool first) const {
  std::string text = Staged(std::string(token), first);
  if (byte_level_) return BytesOfByteLevel(text).value_or(text);
  if (byte_fallback_) {
    if (const auto byte = ByteOfToken(text); byte) return std::string(1, *byte);
  }
  return text;
}

std::string Decoder::stripped() const {
  std::string all;
  for (size_t i = 0; i < strip_count_; ++i) all += strip_;
  return all;
}

void Decoder::Stream::Push(absl::string_view token, std::string& out) {
  if (!decoder_.chain_.empty()) {
    tokens_.emplace_back(token);
    return;
  }
  if (decoder_.word_suffix_.empty()) {
    PushStaged(std::string(token), out);
    return;
  }
  if (held_) PushStaged(absl::StrReplaceAll(*held_, {{decoder_.word_suffix_, " "}}), out);
  held_ = std::string(token);
}

void Decoder::Stream::PushStaged(std::string text, std::string& out) {
  text = decoder_.Staged(std::move(text), first_);
  first_ = false;
  if (decoder_.byte_level_) {
    // A token with a character that is no byte's stands for itself.
    const absl::optional<std::string> bytes = BytesOfByteLevel(text);
    bytes_ += bytes ? *bytes : text;
    std::string ready;
    bytes_.erase(0, AppendLossyUtf8(bytes_, /*more_to_come=*/true, ready));
    Emit(ready, out);
    return;
  }
  if (decoder_.byte_fallback_) {
    if (const auto byte = ByteOfToken(text); byte) {
      PushByte(*byte, out);
      return;
    }
    EndBytes(out);
  }
  Emit(text, out);
}

void Decoder::Stream::PushByte(char byte, std::string& out) {
  if (broken_ && !whole_) {
    Emit(kReplacement, out);
    return;
  }
  bytes_.push_back(byte);
  if (whole_) return;
  const size_t valid = ValidUtf8Prefix(bytes_);
  if (valid == bytes_.size()) {
    Emit(bytes_, out);
    bytes_.clear();
    return;
  }
  // Either a character that is cut off, or one that can never become complete.
  std::string lossy;
  if (AppendLossyUtf8(bytes_, /*more_to_come=*/true, lossy) == 0) return;
  for (size_t i = 0; i < bytes_.size(); ++i) Emit(kReplacement, out);
  bytes_.clear();
  broken_ = true;
}

void Decoder::Stream::EndBytes(std::string& out) {
  Emit(TextOfBytes(bytes_), out);
  bytes_.clear();
  broken_ = false;
}

void Decoder::Stream::Emit(absl::string_view text, std::string& out) {
  while (!begun_ && !text.empty()) {
    if (stripped_ < decoder_.strip_count_ && absl::ConsumePrefix(&text, decoder_.strip_)) {
      ++stripped_;
    } else {
      begun_ = true;
    }
  }
  out.append(text.data(), text.size());
}

void Decoder::Stream::Flush(std::string& out) {
  if (!decoder_.chain_.empty()) {
    if (!tokens_.empty()) out += RunChain(decoder_.chain_, std::move(tokens_));
    tokens_.clear();
    return;
  }
  if (held_) PushStaged(absl::StrReplaceAll(*held_, {{decoder_.word_suffix_, ""}}), out);
  if (decoder_.byte_level_) {
    std::string ready;
    AppendLossyUtf8(bytes_, /*more_to_come=*/false, ready);
    Emit(ready, out);
    bytes_.clear();
  } else {
    EndBytes(out);
  }
  held_.reset();
  first_ = true;
  begun_ = false;
  stripped_ = 0;
}

}  // namespace terminus::tokenizer
