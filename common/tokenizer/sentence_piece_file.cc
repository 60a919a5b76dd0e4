#include "common/tokenizer/sentence_piece_file.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/utf8.h"

namespace terminus::tokenizer {
namespace {

absl::Status Damaged(absl::string_view field) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": damaged or cut off"));
}

// Fields of a message of Protocol Buffers, one after the other, from its bytes.
class Fields {
 public:
  enum class Kind : uint8_t { kNumber = 0, kEight = 1, kBytes = 2, kFour = 5 };

  Fields(absl::string_view message, absl::string_view name) : rest_(message), name_(name) {}

  // Steps to the next field; false at the end, and at damage.
  bool Next() {
    if (rest_.empty()) return false;
    uint64_t tag = 0;
    if (!ReadNumber(&tag)) return Fail();
    number_ = tag >> 3;
    switch (tag & 7) {
      case static_cast<uint64_t>(Kind::kNumber):
        kind_ = Kind::kNumber;
        return ReadNumber(&value_) || Fail();
      case static_cast<uint64_t>(Kind::kEight):
        kind_ = Kind::kEight;
        return Take(8) || Fail();
      case static_cast<uint64_t>(Kind::kBytes): {
        kind_ = Kind::kBytes;
        uint64_t size = 0;
        return (ReadNumber(&size) && Take(size)) || Fail();
      }
      case static_cast<uint64_t>(Kind::kFour):
        kind_ = Kind::kFour;
        return Take(4) || Fail();
      default:
        return Fail();
    }
  }

  uint64_t number() const { return number_; }

  // The value of the field, which must have this kind.
  absl::Status Get(absl::string_view* bytes) {
    if (kind_ != Kind::kBytes) return Damaged(name_);
    *bytes = bytes_;
    return absl::OkStatus();
  }
  absl::Status Get(uint64_t* value) {
    if (kind_ != Kind::kNumber) return Damaged(name_);
    *value = value_;
    return absl::OkStatus();
  }
  absl::Status Get(bool* value) {
    if (kind_ != Kind::kNumber) return Damaged(name_);
    *value = value_ != 0;
    return absl::OkStatus();
  }
  absl::Status Get(float* value) {
    if (kind_ != Kind::kFour) return Damaged(name_);
    uint32_t bits = 0;
    for (int i = 3; i >= 0; --i) bits = bits << 8 | static_cast<unsigned char>(bytes_[i]);
    std::memcpy(value, &bits, sizeof(*value));
    return absl::OkStatus();
  }

  // Whether all fields up to the end were read.
  absl::Status status() const { return failed_ ? Damaged(name_) : absl::OkStatus(); }

 private:
  bool Fail() {
    failed_ = true;
    return false;
  }

  bool ReadNumber(uint64_t* value) {
    constexpr size_t kMaxBytes = 10;
    *value = 0;
    for (size_t i = 0; i < kMaxBytes && i < rest_.size(); ++i) {
      const auto byte = static_cast<unsigned char>(rest_[i]);
      *value |= uint64_t{byte & 0x7fU} << (7 * i);
      if (byte >= 0x80) continue;
      rest_.remove_prefix(i + 1);
      return true;
    }
    return false;
  }

  bool Take(uint64_t size) {
    if (size > rest_.size()) return false;
    bytes_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  absl::string_view rest_;
  absl::string_view name_;  // of the message, for errors
  bool failed_ = false;
  uint64_t number_ = 0;
  Kind kind_ = Kind::kNumber;
  uint64_t value_ = 0;
  absl::string_view bytes_;
};

absl::StatusOr<SentencePieceFile::Piece> ParsePiece(absl::string_view message,
                                                    const std::string& name) {
  SentencePieceFile::Piece piece;
  Fields fields(message, name);
  while (fields.Next()) {
    if (fields.number() == 1) {
      absl::string_view text;
      TERMINUS_RETURN_IF_ERROR(fields.Get(&text));
      piece.text = std::string(text);
    } else if (fields.number() == 2) {
      TERMINUS_RETURN_IF_ERROR(fields.Get(&piece.score));
    } else if (fields.number() == 3) {
      uint64_t type = 0;
      TERMINUS_RETURN_IF_ERROR(fields.Get(&type));
      if (type < 1 || type > 6) return Damaged(absl::StrCat(name, ".type"));
      piece.type = static_cast<SentencePieceFile::Type>(type);
    }
  }
  TERMINUS_RETURN_IF_ERROR(fields.status());
  if (!IsValidUtf8(piece.text)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ".piece: not UTF-8"));
  }
  return piece;
}

absl::Status ParseTrainer(absl::string_view message, SentencePieceFile& file) {
  Fields fields(message, "trainer_spec");
  while (fields.Next()) {
    if (fields.number() == 3) {
      constexpr uint64_t kUnigram = 1;
      uint64_t type = 0;
      TERMINUS_RETURN_IF_ERROR(fields.Get(&type));
      if (type != kUnigram) {
        return absl::InvalidArgumentError(absl::StrCat("trainer_spec.model_type: ", type,
                                                       ", supported is ", kUnigram, " (UNIGRAM)"));
      }
    } else if (fields.number() == 24) {
      bool as_suffix = false;
      TERMINUS_RETURN_IF_ERROR(fields.Get(&as_suffix));
      if (as_suffix) {
        return absl::InvalidArgumentError(
            "trainer_spec.treat_whitespace_as_suffix: true, supported is false");
      }
    } else if (fields.number() == 35) {
      TERMINUS_RETURN_IF_ERROR(fields.Get(&file.byte_fallback));
    }
  }
  return fields.status();
}

absl::Status ParseNormalizer(absl::string_view message, SentencePieceFile& file) {
  Fields fields(message, "normalizer_spec");
  while (fields.Next()) {
    if (fields.number() == 2) {
      absl::string_view charsmap;
      TERMINUS_RETURN_IF_ERROR(fields.Get(&charsmap));
      file.charsmap = std::string(charsmap);
    } else if (fields.number() == 3) {
      TERMINUS_RETURN_IF_ERROR(fields.Get(&file.add_dummy_prefix));
    } else if (fields.number() == 4) {
      TERMINUS_RETURN_IF_ERROR(fields.Get(&file.remove_extra_whitespaces));
    } else if (fields.number() == 5) {
      bool escapes = true;
      TERMINUS_RETURN_IF_ERROR(fields.Get(&escapes));
      if (!escapes) {
        return absl::InvalidArgumentError(
            "normalizer_spec.escape_whitespaces: false, supported is true");
      }
    }
  }
  return fields.status();
}

}  // namespace

absl::StatusOr<SentencePieceFile> ParseSentencePieceFile(absl::string_view bytes) {
  SentencePieceFile file;
  Fields fields(bytes, "file");
  while (fields.Next()) {
    absl::string_view message;
    if (fields.number() >= 1 && fields.number() <= 3) {
      TERMINUS_RETURN_IF_ERROR(fields.Get(&message));
    }
    if (fields.number() == 1) {
      TERMINUS_ASSIGN_OR_RETURN(
          SentencePieceFile::Piece piece,
          ParsePiece(message, absl::StrCat("pieces[", file.pieces.size(), "]")));
      file.pieces.push_back(std::move(piece));
    } else if (fields.number() == 2) {
      TERMINUS_RETURN_IF_ERROR(ParseTrainer(message, file));
    } else if (fields.number() == 3) {
      TERMINUS_RETURN_IF_ERROR(ParseNormalizer(message, file));
    }
  }
  TERMINUS_RETURN_IF_ERROR(fields.status());
  return file;
}

}  // namespace terminus::tokenizer
