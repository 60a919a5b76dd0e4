#include "common/tokenizer/class_document.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace terminus::tokenizer {
namespace {

using nlohmann::json;

json Sequence(const char* key, json stages) {
  return {{"type", "Sequence"}, {key, std::move(stages)}};
}

json ByteLevel(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

json Metaspace(const char* prepend_scheme, bool split) {
  return {{"type", "Metaspace"},
          {"replacement", "▁"},
          {"prepend_scheme", prepend_scheme},
          {"split", split}};
}

json RegexSplit(const char* pattern, const char* behavior, bool invert) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", behavior},
          {"invert", invert}};
}

json ReplaceText(const char* from, const char* to) {
  return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

// The text of tokens over characters, with bytes for those that have no token.
json BytesDecoder(bool strips_blank) {
  json stages = {ReplaceText("▁", " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (strips_blank) {
    stages.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1U}, {"stop", 0U}});
  }
  return Sequence("decoders", std::move(stages));
}

// The section "model" with the vocabulary of the file and the options of a class.
absl::Status SetModel(const char* type, json options, json& document) {
  json& model = document["model"];
  if (!model.is_object()) return absl::InvalidArgumentError("model: expected an object");
  if (model.contains("type") && model["type"] != type) {
    return absl::InvalidArgumentError(
        absl::StrCat("model.type: found ", model["type"].dump(-1, ' ', true), ", expected \"", type,
                     "\", as the tokenizer_class has it"));
  }
  options["type"] = type;
  for (const char* kept : {"vocab", "merges"}) {
    if (model.contains(kept)) options[kept] = std::move(model[kept]);
  }
  model = std::move(options);
  return absl::OkStatus();
}

// The rules of SentencePiece in a normalizer; null without any.
json PrecompiledOf(const json& normalizer) {
  if (!normalizer.is_object()) return nullptr;
  const auto is_precompiled = [](const json& stage) {
    return stage.is_object() && stage.value("type", json()) == "Precompiled";
  };
  if (is_precompiled(normalizer)) return normalizer;
  if (normalizer.value("type", json()) == "Sequence") {
    for (const json& stage : normalizer.value("normalizers", json::array())) {
      if (is_precompiled(stage)) return stage;
    }
  }
  return nullptr;
}

absl::Status RebuildBert(const ClassOptions& options, json& document) {
  document["normalizer"] = {{"type", "BertNormalizer"},
                            {"clean_text", true},
                            {"handle_chinese_chars", options.tokenize_chinese_chars},
                            {"strip_accents", nullptr},
                            {"lowercase", options.do_lower_case}};
  if (options.strip_accents) document["normalizer"]["strip_accents"] = *options.strip_accents;
  document["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  document["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  document["post_processor"] = nullptr;
  return SetModel("WordPiece",
                  {{"unk_token", options.unk_token},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 100U}},
                  document);
}

absl::Status RebuildClip(const ClassOptions& options, json& document) {
  constexpr char kWords[] =
      R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";
  document["normalizer"] = Sequence(
      "normalizers", {{{"type", "NFC"}},
                      {{"type", "Replace"}, {"pattern", {{"Regex", R"(\s+)"}}}, {"content", " "}},
                      {{"type", "Lowercase"}}});
  document["pre_tokenizer"] =
      Sequence("pretokenizers", {RegexSplit(kWords, "Removed", true), ByteLevel(false, true)});
  document["decoder"] = ByteLevel(true, true);
  document["post_processor"] = nullptr;
  return SetModel("BPE",
                  {{"unk_token", options.unk_token},
                   {"continuing_subword_prefix", ""},
                   {"end_of_word_suffix", "</w>"}},
                  document);
}

// Gemma's, and Siglip2's, which differs in that it lowers the case.
absl::Status RebuildGemma(const ClassOptions& options, bool lowers, json& document) {
  document["normalizer"] = ReplaceText(" ", "▁");
  if (lowers) {
    document["normalizer"] =
        Sequence("normalizers", {{{"type", "Lowercase"}}, document["normalizer"]});
  }
  document["pre_tokenizer"] = {{"type", "Split"},
                               {"pattern", {{"String", " "}}},
                               {"behavior", "MergedWithPrevious"},
                               {"invert", false}};
  document["decoder"] = BytesDecoder(/*strips_blank=*/false);
  return SetModel("BPE",
                  {{"unk_token", options.unk_token}, {"fuse_unk", true}, {"byte_fallback", true}},
                  document);
}

absl::Status RebuildGpt2(const ClassOptions& options, json& document) {
  document["normalizer"] = nullptr;
  document["pre_tokenizer"] = ByteLevel(options.add_prefix_space, true);
  document["decoder"] = ByteLevel(true, true);
  return SetModel("BPE", json::object(), document);
}

absl::Status RebuildLlama(const ClassOptions& options, json& document) {
  document["normalizer"] = nullptr;
  document["pre_tokenizer"] = Metaspace(!options.add_prefix_space ? "never"
                                        : options.legacy          ? "always"
                                                                  : "first",
                                        /*split=*/false);
  document["decoder"] = BytesDecoder(options.add_prefix_space);
  return SetModel("BPE", {{"fuse_unk", true}, {"byte_fallback", true}}, document);
}

absl::Status RebuildQwen2(const ClassOptions& options, json& document) {
  constexpr char kWords[] =
      R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
      R"(\s*[\r\n]+|\s+(?!\S)|\s+)";
  document["normalizer"] = {{"type", "NFC"}};
  document["pre_tokenizer"] =
      Sequence("pretokenizers",
               {RegexSplit(kWords, "Isolated", false), ByteLevel(options.add_prefix_space, false)});
  document["decoder"] = ByteLevel(true, true);
  return SetModel("BPE", json::object(), document);
}

absl::Status RebuildXlmRoberta(const ClassOptions& options, json& document) {
  const char* const scheme = options.add_prefix_space ? "always" : "never";
  document["normalizer"] =
      PrecompiledOf(document.contains("normalizer") ? document["normalizer"] : json());
  document["pre_tokenizer"] =
      Sequence("pretokenizers", {{{"type", "WhitespaceSplit"}}, Metaspace(scheme, true)});
  document["decoder"] = Metaspace(scheme, true);
  document["post_processor"] = nullptr;
  return SetModel("Unigram", {{"unk_id", 3U}, {"byte_fallback", false}}, document);
}

// Removes trim_offsets, which does not change ids, from a section and from all sections inside it.
void DropOffsets(json& section) {
  if (section.is_object()) section.erase("trim_offsets");
  if (!section.is_structured()) return;
  for (json& part : section) DropOffsets(part);
}

}  // namespace

absl::Status RebuildDocument(ReferenceClass reference_class, const ClassOptions& options,
                             json& document) {
  switch (reference_class) {
    case ReferenceClass::kBackend:
    case ReferenceClass::kSiglip:
      return absl::OkStatus();
    case ReferenceClass::kBert:
      return RebuildBert(options, document);
    case ReferenceClass::kClip:
      return RebuildClip(options, document);
    case ReferenceClass::kGemma:
      return RebuildGemma(options, /*lowers=*/false, document);
    case ReferenceClass::kSiglip2:
      return RebuildGemma(options, /*lowers=*/true, document);
    case ReferenceClass::kGpt2:
      return RebuildGpt2(options, document);
    case ReferenceClass::kLlama:
      return RebuildLlama(options, document);
    case ReferenceClass::kQwen2:
      return RebuildQwen2(options, document);
    case ReferenceClass::kXlmRoberta:
      return RebuildXlmRoberta(options, document);
  }
  return absl::OkStatus();
}

json StagesOf(const json& document) {
  json sections = json::object();
  for (const char* section : {"normalizer", "pre_tokenizer"}) {
    sections[section] = document.value(section, json());
    DropOffsets(sections[section]);
  }
  return sections;
}

void LowerFirst(json& document) {
  json& normalizer = document["normalizer"];
  const auto is_lowercase = [](const json& stage) {
    return stage.is_object() && stage.value("type", json()) == "Lowercase";
  };
  json stages = json::array();
  if (normalizer.is_object() && normalizer.value("type", json()) == "Sequence") {
    stages = normalizer.value("normalizers", json::array());
  } else if (!normalizer.is_null()) {
    stages.push_back(normalizer);
  }
  if (!stages.is_array() || std::any_of(stages.begin(), stages.end(), is_lowercase)) return;
  json lowercase = {{"type", "Lowercase"}};
  stages.insert(stages.begin(), std::move(lowercase));
  normalizer = Sequence("normalizers", std::move(stages));
}

}  // namespace terminus::tokenizer
