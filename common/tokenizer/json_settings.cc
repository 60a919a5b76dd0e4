#include "common/tokenizer/json_settings.h"

#include <vector>

namespace terminus::tokenizer {
namespace {

using settings::Fixed;
using settings::Key;
using settings::NoEffect;
using settings::Table;
using settings::Used;

constexpr absl::string_view kOffsets = "offsets are not reported";
constexpr absl::string_view kEncodes = "read by the pre-tokenizer of this type";
constexpr absl::string_view kLength = "the call says how to pad and to cut";

constexpr Key kRoot[] = {
    Fixed("version", R"(["1.0"])", "the version of the format"),
    Used("truncation", "the side that is cut off"),
    Used("padding", "the token and the side that is filled up"),
    Used("added_tokens", "tokens found before the model sees the text"),
    Used("normalizer", "rewrites the text"),
    Used("pre_tokenizer", "cuts the text into words"),
    Used("model", "cuts words into tokens"),
    Used("post_processor", "tokens around a text"),
    Used("decoder", "tokens to text"),
};
constexpr Key kAddedToken[] = {
    Used("id", "id"),
    Used("content", "text"),
    Used("single_word", "only where no word character touches it"),
    Used("lstrip", "takes white space before it along"),
    Used("rstrip", "takes white space behind it along"),
    Used("normalized", "found in normalised text"),
    Used("special", "skipped in decoding"),
};
constexpr Key kTruncation[] = {
    Used("direction", "the side that is cut off"),
    NoEffect("max_length", kLength),
    NoEffect("strategy", kLength),
    NoEffect("stride", kLength),
};
constexpr Key kPadding[] = {
    Used("direction", "the side that is filled up"),
    Used("pad_token", "the token that fills up"),
    NoEffect("strategy", kLength),
    NoEffect("pad_to_multiple_of", kLength),
    NoEffect("pad_id", "the id is that of the token"),
    NoEffect("pad_type_id", kLength),
};

constexpr Key kTypeOnly[] = {Used("type", "type")};

// Normalizers.
constexpr Key kBertNormalizer[] = {
    Used("type", "type"),
    Used("clean_text", "drops control characters"),
    Used("handle_chinese_chars", "makes each ideograph a word"),
    Used("strip_accents", "drops accents; as lowercase without a value"),
    Used("lowercase", "lowers the case"),
};
constexpr Key kNormalizerSequence[] = {
    Used("type", "type"),
    Used("normalizers", "stages"),
};
constexpr Key kPrecompiled[] = {
    Used("type", "type"),
    Used("precompiled_charsmap", "rules"),
};
constexpr Key kPrepend[] = {
    Used("type", "type"),
    Used("prepend", "text in front"),
};
constexpr Key kReplace[] = {
    Used("type", "type"),
    Used("pattern", "text or regular expression"),
    Used("content", "text in its place"),
};
constexpr Key kStripNormalizer[] = {
    Used("type", "type"),
    Used("strip_left", "drops white space in front"),
    Used("strip_right", "drops white space at the end"),
};

// Pre-tokenizers.
constexpr Key kByteLevel[] = {
    Used("type", "type"),
    Used("add_prefix_space", "puts a blank in front"),
    Used("use_regex", "cuts words as GPT-2 does"),
    NoEffect("trim_offsets", kOffsets),
};
constexpr Key kDigits[] = {
    Used("type", "type"),
    Used("individual_digits", "each digit is a word"),
};
constexpr Key kMetaspace[] = {
    Used("type", "type"),
    Used("replacement", "character in the place of a blank"),
    Used("prepend_scheme", "where it stands in front"),
    Used("add_prefix_space", "older form of prepend_scheme"),
    Used("split", "a word begins at each"),
    NoEffect("str_rep", "the replacement once more"),
};
constexpr Key kPunctuation[] = {
    Used("type", "type"),
    Used("behavior", "what becomes of the delimiter"),
};
constexpr Key kPreTokenizerSequence[] = {
    Used("type", "type"),
    Used("pretokenizers", "stages"),
};
constexpr Key kSplit[] = {
    Used("type", "type"),
    Used("pattern", "text or regular expression"),
    Used("behavior", "what becomes of the delimiter"),
    Used("invert", "the pattern describes the words"),
};

// Models.
constexpr Key kBpe[] = {
    Used("type", "type"),
    Used("vocab", "tokens and ids"),
    Used("merges", "pairs that are joined"),
    Used("unk_token", "token of unknown characters"),
    Used("continuing_subword_prefix", "of all characters of a word but the first"),
    Used("end_of_word_suffix", "of the last character of a word"),
    Used("fuse_unk", "unknown neighbours are one token"),
    Used("byte_fallback", "unknown characters are the tokens of their bytes"),
    Used("ignore_merges", "a word that is a token stays whole"),
    Fixed("dropout", "[0.0]", "would leave out merges by chance"),
};
constexpr Key kUnigram[] = {
    Used("type", "type"),
    Used("vocab", "tokens and scores"),
    Used("unk_id", "token of unknown characters"),
    Used("byte_fallback", "unknown characters are the tokens of their bytes"),
};
constexpr Key kWordPiece[] = {
    Used("type", "type"),
    Used("vocab", "tokens and ids"),
    Used("unk_token", "token of unknown words"),
    Used("continuing_subword_prefix", "of tokens that go on with a word"),
    Used("max_input_chars_per_word", "longer words are unknown"),
};

// Post-processors.
constexpr Key kBertProcessing[] = {
    Used("type", "type"),
    Used("cls", "token in front"),
    Used("sep", "token behind"),
};
constexpr Key kRobertaProcessing[] = {
    Used("type", "type"),
    Used("cls", "token in front"),
    Used("sep", "token behind"),
    NoEffect("trim_offsets", kOffsets),
    NoEffect("add_prefix_space", kOffsets),
};
constexpr Key kByteLevelProcessor[] = {
    Used("type", "type"),
    NoEffect("trim_offsets", kOffsets),
    NoEffect("add_prefix_space", kOffsets),
    NoEffect("use_regex", kEncodes),
};
constexpr Key kProcessorSequence[] = {
    Used("type", "type"),
    Used("processors", "stages"),
};
constexpr Key kTemplate[] = {
    Used("type", "type"),
    Used("single", "tokens around a text"),
    Used("special_tokens", "ids of these tokens"),
    NoEffect("pair", "for two texts, which no request has"),
};

// Decoders.
constexpr Key kBpeDecoder[] = {
    Used("type", "type"),
    Used("suffix", "stands for a blank"),
};
constexpr Key kByteLevelDecoder[] = {
    Used("type", "type"),
    NoEffect("trim_offsets", kOffsets),
    NoEffect("add_prefix_space", kEncodes),
    NoEffect("use_regex", kEncodes),
};
constexpr Key kCtc[] = {
    Used("type", "type"),
    Used("pad_token", "token between repeated ones"),
    Used("word_delimiter_token", "stands for a blank"),
    Used("cleanup", "drops blanks before punctuation, and makes delimiters blanks"),
};
constexpr Key kMetaspaceDecoder[] = {
    Used("type", "type"),
    Used("replacement", "character in the place of a blank"),
    Used("prepend_scheme", "where it stands in front"),
    Used("add_prefix_space", "older form of prepend_scheme"),
    NoEffect("split", kEncodes),
    NoEffect("str_rep", "the replacement once more"),
};
constexpr Key kDecoderSequence[] = {
    Used("type", "type"),
    Used("decoders", "stages"),
};
constexpr Key kStripDecoder[] = {
    Used("type", "type"),
    Used("content", "character that is dropped"),
    Used("start", "how often at the beginning"),
    Used("stop", "how often at the end"),
};
constexpr Key kWordPieceDecoder[] = {
    Used("type", "type"),
    Used("prefix", "of tokens that go on with a word"),
    Used("cleanup", "drops blanks before punctuation"),
};

constexpr Table Section(absl::string_view kind, absl::Span<const Key> keys) {
  return {.file = "tokenizer.json", .kind = kind, .keys = keys};
}

constexpr Table kTables[] = {
    Section("root", kRoot),
    Section("added_tokens", kAddedToken),
    Section("truncation", kTruncation),
    Section("padding", kPadding),
    Section("normalizer.BertNormalizer", kBertNormalizer),
    Section("normalizer.ByteLevel", kTypeOnly),
    Section("normalizer.Lowercase", kTypeOnly),
    Section("normalizer.NFC", kTypeOnly),
    Section("normalizer.NFD", kTypeOnly),
    Section("normalizer.NFKC", kTypeOnly),
    Section("normalizer.NFKD", kTypeOnly),
    Section("normalizer.Nmt", kTypeOnly),
    Section("normalizer.Precompiled", kPrecompiled),
    Section("normalizer.Prepend", kPrepend),
    Section("normalizer.Replace", kReplace),
    Section("normalizer.Sequence", kNormalizerSequence),
    Section("normalizer.Strip", kStripNormalizer),
    Section("normalizer.StripAccents", kTypeOnly),
    Section("pre_tokenizer.BertPreTokenizer", kTypeOnly),
    Section("pre_tokenizer.ByteLevel", kByteLevel),
    Section("pre_tokenizer.Digits", kDigits),
    Section("pre_tokenizer.Metaspace", kMetaspace),
    Section("pre_tokenizer.Punctuation", kPunctuation),
    Section("pre_tokenizer.Sequence", kPreTokenizerSequence),
    Section("pre_tokenizer.Split", kSplit),
    Section("pre_tokenizer.Whitespace", kTypeOnly),
    Section("pre_tokenizer.WhitespaceSplit", kTypeOnly),
    Section("model.BPE", kBpe),
    Section("model.Unigram", kUnigram),
    Section("model.WordPiece", kWordPiece),
    Section("post_processor.BertProcessing", kBertProcessing),
    Section("post_processor.ByteLevel", kByteLevelProcessor),
    Section("post_processor.RobertaProcessing", kRobertaProcessing),
    Section("post_processor.Sequence", kProcessorSequence),
    Section("post_processor.TemplateProcessing", kTemplate),
    Section("decoder.BPEDecoder", kBpeDecoder),
    Section("decoder.ByteFallback", kTypeOnly),
    Section("decoder.ByteLevel", kByteLevelDecoder),
    Section("decoder.CTC", kCtc),
    Section("decoder.Fuse", kTypeOnly),
    Section("decoder.Metaspace", kMetaspaceDecoder),
    Section("decoder.Replace", kReplace),
    Section("decoder.Sequence", kDecoderSequence),
    Section("decoder.Strip", kStripDecoder),
    Section("decoder.WordPiece", kWordPieceDecoder),
};

}  // namespace

const Table* SectionTable(absl::string_view kind) {
  for (const Table& table : kTables) {
    if (table.kind == kind) return &table;
  }
  return nullptr;
}

absl::Span<const Table* const> SectionTables() {
  static const std::vector<const Table*> tables = [] {
    std::vector<const Table*> all;
    for (const Table& table : kTables) all.push_back(&table);
    return all;
  }();
  return tables;
}

}  // namespace terminus::tokenizer
