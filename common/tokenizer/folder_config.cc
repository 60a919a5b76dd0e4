#include "common/tokenizer/folder_config.h"

#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"
#include "common/tokenizer/class_defaults.h"
#include "common/tokenizer/folder_settings.h"

namespace terminus::tokenizer {
namespace {

using nlohmann::json;
using settings::JsonFile;

// transformers' answer for "no limit" is about 1e30. Whatever is above this says nothing.
constexpr double kNoLength = 1e15;

// The length of inputs that SiglipTokenizer has where no file says another.
constexpr double kSiglipLength = 64;

class Reader {
 public:
  Reader(const FolderConfigSource& source, JsonFile file)
      : source_(source), file_(std::move(file)) {}

  absl::StatusOr<FolderConfig> Read() {
    config_.padding_side = SideOf("padding_side", "padding", PadsLeft(source_.reference_class));
    config_.truncation_side = SideOf("truncation_side", "truncation", false);
    ReadLength();
    ReadInputNames();
    config_.split_special_tokens = file_.BoolOr("split_special_tokens", false);
    ReadClassOptions();
    CheckDecoding();
    TERMINUS_RETURN_IF_ERROR(file_.status());
    return std::move(config_);
  }

 private:
  Side SideOf(const char* key, const char* section, bool left) {
    const json part = source_.document.value(section, json());
    if (part.is_object() && part.value("direction", json()).is_string()) {
      left = part["direction"] == "Left";
    }
    const std::string side = file_.StringOr(key, left ? "left" : "right");
    if (side != "left" && side != "right") {
      file_.Fault(key, absl::StrCat("\"", side, "\", expected \"left\" or \"right\""));
    }
    return side == "left" ? Side::kLeft : Side::kRight;
  }

  void ReadLength() {
    const bool is_siglip = source_.reference_class == ReferenceClass::kSiglip;
    const bool has_length = file_.json().contains("model_max_length");
    // SiglipTokenizer always hands on a model_max_length: the older name has no effect there.
    double length = kNoLength;
    const char* const key = has_length || is_siglip ? "model_max_length" : "max_len";
    if (is_siglip && !has_length) {
      length = kSiglipLength;
    } else {
      length = file_.NumberOr(key, kNoLength);
    }
    if (length >= kNoLength) return;
    if (length < 1 || length != std::floor(length)) {
      file_.Fault(key, absl::StrCat(length, ", expected a whole number from 1"));
      return;
    }
    config_.model_max_length = static_cast<int64_t>(length);
  }

  void ReadInputNames() {
    config_.model_input_names = {"input_ids", "attention_mask"};
    if (source_.reference_class == ReferenceClass::kBert) {
      config_.model_input_names = {"input_ids", "token_type_ids", "attention_mask"};
    }
    const json* const names = file_.Find("model_input_names");
    if (names == nullptr) return;
    config_.model_input_names.clear();
    if (!names->is_array()) file_.Fault("model_input_names", "expected a list of strings");
    for (const json& name : *names) {
      if (name.is_string()) config_.model_input_names.push_back(name.get<std::string>());
    }
  }

  // Some classes take null for false.
  bool BoolOrNull(const char* key, bool otherwise) {
    return file_.BoolOr(key, otherwise && !file_.json().contains(key));
  }

  void ReadClassOptions() {
    ClassOptions& options = config_.class_options;
    switch (source_.reference_class) {
      case ReferenceClass::kBert:
        options.do_lower_case = file_.BoolOr("do_lower_case", true);
        options.tokenize_chinese_chars = file_.BoolOr("tokenize_chinese_chars", true);
        if (file_.Has("strip_accents")) {
          options.strip_accents = file_.BoolOr("strip_accents", false);
        }
        return;
      case ReferenceClass::kSiglip:
        options.do_lower_case = BoolOrNull("do_lower_case", true);
        options.legacy = BoolOrNull("legacy", true);
        return;
      case ReferenceClass::kGpt2:
      case ReferenceClass::kQwen2:
        options.add_prefix_space = file_.BoolOr("add_prefix_space", false);
        return;
      case ReferenceClass::kLlama:
        options.add_prefix_space = file_.BoolOr("add_prefix_space", true);
        options.legacy = file_.BoolOr("legacy", false);
        return;
      case ReferenceClass::kXlmRoberta:
        options.add_prefix_space = BoolOrNull("add_prefix_space", true);
        return;
      case ReferenceClass::kBackend:
      case ReferenceClass::kClip:
      case ReferenceClass::kGemma:
      case ReferenceClass::kSiglip2:
        return;
    }
  }

  void CheckDecoding() {
    if (!source_.decodes) return;
    constexpr char kForce[] =
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";
    if (source_.reference_class == ReferenceClass::kClip ||
        source_.reference_class == ReferenceClass::kSiglip) {
      file_.Fault("tokenizer_class",
                  absl::StrCat(NameOf(source_.reference_class), " is supported for encoders only"));
    }
    const bool cleans = file_.BoolOr("clean_up_tokenization_spaces", false);
    const bool forced = file_.BoolOr(kForce, false);
    const json model = source_.document.value("model", json::object());
    const bool is_bpe =
        model.is_object() && (model.value("type", json()) == "BPE" ||
                              (!model.contains("type") && model.contains("merges")));
    if (cleans && (forced || !is_bpe)) {
      file_.Fault(is_bpe ? kForce : "clean_up_tokenization_spaces",
                  "true, supported is false where text is generated");
    }
  }

  const FolderConfigSource& source_;
  JsonFile file_;
  FolderConfig config_;
};

}  // namespace

absl::StatusOr<FolderConfig> ReadFolderConfig(const FolderConfigSource& source) {
  const settings::Table& table = ConfigTable(source.reference_class);
  json checked = json::object();
  if (source.config.is_object()) {
    for (const auto& [key, value] : source.config.items()) {
      // Free names, read with the tokens.
      if (table.Find(key) == nullptr && absl::EndsWith(key, "_token")) continue;
      checked[key] = value;
    }
  }
  TERMINUS_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Parse(source.path, checked.dump(), &table));
  return Reader(source, std::move(file)).Read();
}

}  // namespace terminus::tokenizer
