#include "common/tokenizer/folder.h"

#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/settings/collector.h"
#include "common/settings/json_file.h"
#include "common/tokenizer/class_defaults.h"
#include "common/tokenizer/class_document.h"
#include "common/tokenizer/folder_settings.h"
#include "common/tokenizer/library_json.h"
#include "common/tokenizer/limits.h"
#include "common/tokenizer/siglip_check.h"
#include "common/tokenizer/token_arguments.h"

namespace terminus::tokenizer {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using settings::JsonFile;

// transformers' answer for "no limit" is about 1e30. Whatever is above this says nothing.
constexpr double kNoLength = 1e15;

absl::StatusOr<ordered_json> ParseObject(const absl::optional<std::string>& text,
                                         const std::string& path) {
  if (!text) return ordered_json();
  ordered_json object = ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON object"));
  }
  return object;
}

// Takes keys without effect on ids out of a section, and those in it.
void DropOffsets(json& section) {
  if (section.is_object()) section.erase("trim_offsets");
  if (!section.is_structured()) return;
  for (json& part : section) DropOffsets(part);
}

// The stages of a document that decide the ids, for a comparison.
json SectionsOf(const json& document) {
  json sections = json::object();
  for (const char* section : {"normalizer", "pre_tokenizer"}) {
    sections[section] = document.value(section, json());
    DropOffsets(sections[section]);
  }
  return sections;
}

absl::optional<std::string> StringIn(const ordered_json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string()) {
    return absl::nullopt;
  }
  return object[key].get<std::string>();
}

// Makes a folder's tokenizer from its files, step by step.
class Maker {
 public:
  Maker(const FolderFiles& files, const FolderOptions& options)
      : files_(files), options_(options) {}

  absl::StatusOr<FolderTokenizer> Make() {
    TERMINUS_RETURN_IF_ERROR(ReadFiles());
    TERMINUS_RETURN_IF_ERROR(Choose());
    TERMINUS_RETURN_IF_ERROR(ReadTokens());
    TERMINUS_RETURN_IF_ERROR(ReadConfig());
    TERMINUS_RETURN_IF_ERROR(Build());
    return std::move(result_);
  }

 private:
  std::string Path(const char* name) const { return absl::StrCat(files_.folder, "/", name); }

  absl::Status Fault(absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat(files_.folder, "/", message));
  }

  absl::Status ReadFiles() {
    TERMINUS_ASSIGN_OR_RETURN(config_, ParseObject(files_.config, Path("config.json")));
    TERMINUS_ASSIGN_OR_RETURN(tokens_.tokenizer_config,
                              ParseObject(files_.tokenizer_config, Path("tokenizer_config.json")));
    // Python reads the vocabulary for the classes that make their own tokenizer. It has the nearest
    // doubles, the library has its own.
    auto document = ParseLibraryJson(files_.tokenizer);
    if (!document.ok()) return base::Annotate(document.status(), Path("tokenizer.json"));
    document_ = *std::move(document);
    if (!document_.is_object()) return Fault("tokenizer.json: not a JSON object");
    if (document_.contains("added_tokens")) tokens_.file_tokens = &document_["added_tokens"];
    if (tokens_.tokenizer_config.is_object() &&
        tokens_.tokenizer_config.contains("added_tokens_decoder")) {
      return absl::OkStatus();
    }
    TERMINUS_ASSIGN_OR_RETURN(
        tokens_.special_tokens_map,
        ParseObject(files_.special_tokens_map, Path("special_tokens_map.json")));
    TERMINUS_ASSIGN_OR_RETURN(tokens_.added_tokens,
                              ParseObject(files_.added_tokens, Path("added_tokens.json")));
    return absl::OkStatus();
  }

  absl::Status Choose() {
    ClassEvidence evidence{.model_type = StringIn(config_, "model_type").value_or(""),
                           .config_class = StringIn(config_, "tokenizer_class"),
                           .declared_class = StringIn(tokens_.tokenizer_config, "tokenizer_class")};
    evidence.byte_level = absl::StrContains(files_.tokenizer, "\"ByteLevel\"");
    if (tokens_.tokenizer_config.is_object()) {
      const ordered_json map = tokens_.tokenizer_config.value("auto_map", ordered_json());
      evidence.auto_map = map.is_array() || (map.is_object() &&
                                             !map.value("AutoTokenizer", ordered_json()).is_null());
      if (evidence.auto_map) {
        settings::Warn(Path("tokenizer_config.json: auto_map: code of the folder is not run"));
      }
    }
    auto chosen = ChooseClass(evidence);
    if (!chosen.ok()) {
      return base::Annotate(chosen.status(), files_.folder);
    }
    result_.reference_class = *chosen;
    if (!KeepsFile(*chosen)) {
      TERMINUS_ASSIGN_OR_RETURN(json nearest, ParseJson(files_.tokenizer));
      document_ = std::move(nearest);
      if (tokens_.file_tokens != nullptr) tokens_.file_tokens = &document_["added_tokens"];
    }
    return absl::OkStatus();
  }

  absl::Status ReadTokens() {
    auto arguments = ReadTokenArguments(tokens_);
    if (!arguments.ok()) return base::Annotate(arguments.status(), files_.folder);
    arguments_ = *std::move(arguments);
    // The tokens that a class has by itself count as if they stood in a file.
    for (const auto& [name, token] : DefaultTokensOf(result_.reference_class)) {
      absl::optional<TokenArgument> value;
      if (!token.empty()) value = TokenArgument{.content = std::string(token)};
      arguments_.named.emplace(name, std::move(value));
    }
    const json padding = document_.value("padding", json());
    if (padding.is_object() && padding.value("pad_token", json()).is_string()) {
      arguments_.named.emplace("pad_token",
                               TokenArgument{.content = padding["pad_token"].get<std::string>()});
    }
    return CheckMap();
  }

  // Keys of special_tokens_map.json that name no token would be arguments of the class.
  absl::Status CheckMap() const {
    if (!tokens_.special_tokens_map.is_object()) return absl::OkStatus();
    for (const auto& [key, value] : tokens_.special_tokens_map.items()) {
      const settings::Key* const declared = SpecialTokensMapTable().Find(key);
      const bool is_token = declared != nullptr ? declared->effect == settings::Effect::kUsed
                                                : absl::EndsWith(key, "_token");
      if (is_token) continue;
      return Fault(absl::StrCat("special_tokens_map.json: ", key,
                                ": not supported; transformers would take it as an argument"));
    }
    return absl::OkStatus();
  }

  absl::Status ReadConfig() {
    json checked = json::object();
    if (tokens_.tokenizer_config.is_object()) {
      const settings::Table& table = ConfigTable(result_.reference_class);
      for (const auto& [key, value] : tokens_.tokenizer_config.items()) {
        // Free names, read with the tokens.
        if (table.Find(key) == nullptr && absl::EndsWith(key, "_token")) continue;
        checked[key] = value;
      }
    }
    TERMINUS_ASSIGN_OR_RETURN(JsonFile file,
                              JsonFile::Parse(Path("tokenizer_config.json"), checked.dump(),
                                              &ConfigTable(result_.reference_class)));
    ReadSides(file);
    ReadLength(file);
    options_in_.split_special_tokens = file.BoolOr("split_special_tokens", false);
    result_.model_input_names = {"input_ids", "attention_mask"};
    if (result_.reference_class == ReferenceClass::kBert) {
      result_.model_input_names = {"input_ids", "token_type_ids", "attention_mask"};
    }
    if (const json* names = file.Find("model_input_names"); names != nullptr) {
      result_.model_input_names.clear();
      if (!names->is_array()) file.Fault("model_input_names", "expected a list of strings");
      for (const json& name : *names) {
        if (name.is_string()) result_.model_input_names.push_back(name.get<std::string>());
      }
    }
    ReadClassOptions(file);
    CheckDecoding(file);
    return file.status();
  }

  void ReadSides(JsonFile& file) {
    const auto side_of = [&](const char* key, const char* section, bool left) {
      const json part = document_.value(section, json());
      if (part.is_object() && part.value("direction", json()).is_string()) {
        left = part["direction"] == "Left";
      }
      const std::string side = file.StringOr(key, left ? "left" : "right");
      if (side != "left" && side != "right") {
        file.Fault(key, absl::StrCat("\"", side, "\", expected \"left\" or \"right\""));
      }
      return side == "left" ? Side::kLeft : Side::kRight;
    };
    result_.padding_side = side_of("padding_side", "padding", PadsLeft(result_.reference_class));
    result_.truncation_side = side_of("truncation_side", "truncation", false);
    options_in_.truncate_left = result_.truncation_side == Side::kLeft;
  }

  void ReadLength(JsonFile& file) {
    const char* const key = tokens_.tokenizer_config.is_object() &&
                                    tokens_.tokenizer_config.contains("model_max_length")
                                ? "model_max_length"
                                : "max_len";
    double length = file.NumberOr(key, kNoLength);
    if (result_.reference_class == ReferenceClass::kSiglip && length == kNoLength) length = 64;
    if (length >= kNoLength) return;
    if (length < 1 || length != std::floor(length)) {
      file.Fault(key, absl::StrCat(length, ", expected a whole number from 1"));
      return;
    }
    result_.model_max_length = static_cast<int64_t>(length);
  }

  const absl::optional<TokenArgument>& Named(absl::string_view name) const {
    static const absl::optional<TokenArgument> kNone;
    const auto found = arguments_.named.find(name);
    return found == arguments_.named.end() ? kNone : found->second;
  }

  void ReadClassOptions(JsonFile& file) {
    const ReferenceClass reference_class = result_.reference_class;
    if (reference_class == ReferenceClass::kBert) {
      class_options_.do_lower_case = file.BoolOr("do_lower_case", true);
      class_options_.tokenize_chinese_chars = file.BoolOr("tokenize_chinese_chars", true);
      if (file.Has("strip_accents")) {
        class_options_.strip_accents = file.BoolOr("strip_accents", false);
      }
    }
    if (reference_class == ReferenceClass::kSiglip) {
      class_options_.do_lower_case = file.BoolOr("do_lower_case", true);
    }
    if (reference_class == ReferenceClass::kGpt2 || reference_class == ReferenceClass::kQwen2) {
      class_options_.add_prefix_space = file.BoolOr("add_prefix_space", false);
    }
    if (reference_class == ReferenceClass::kLlama) {
      class_options_.add_prefix_space = file.BoolOr("add_prefix_space", true);
      class_options_.legacy = file.BoolOr("legacy", false);
    }
    if (reference_class == ReferenceClass::kXlmRoberta) {
      // This class takes null for false.
      class_options_.add_prefix_space =
          file.BoolOr("add_prefix_space", !file.json().contains("add_prefix_space"));
    }
    if (Named("unk_token")) class_options_.unk_token = Named("unk_token")->content;
  }

  void CheckDecoding(JsonFile& file) const {
    if (!options_.decodes) return;
    constexpr char kForce[] =
        "clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output";
    if (result_.reference_class == ReferenceClass::kClip) {
      file.Fault("tokenizer_class", "CLIPTokenizer is supported for encoders only");
    }
    const bool cleans = file.BoolOr("clean_up_tokenization_spaces", false);
    const bool forced = file.BoolOr(kForce, false);
    const json model = document_.value("model", json::object());
    const bool is_bpe =
        model.is_object() && (model.value("type", json()) == "BPE" ||
                              (!model.contains("type") && model.contains("merges")));
    if (cleans && (forced || !is_bpe)) {
      file.Fault(is_bpe ? kForce : "clean_up_tokenization_spaces",
                 "true, supported is false where text is generated");
    }
  }

  absl::Status Build() {
    const ReferenceClass reference_class = result_.reference_class;
    TERMINUS_RETURN_IF_ERROR(SetTokens());
    const json sections = SectionsOf(document_);
    absl::Status status = RebuildDocument(reference_class, class_options_, document_);
    if (!status.ok()) return base::Annotate(status, Path("tokenizer.json"));
    WarnOfSections(sections);
    if (options_.lower_case) {
      LowerFirst(document_);
      options_in_.refresh_tokens = true;
    }
    options_in_.decodes = options_.decodes;
    auto tokenizer = Tokenizer::FromDocument(document_, options_in_);
    if (!tokenizer.ok()) return base::Annotate(tokenizer.status(), Path("tokenizer.json"));
    result_.tokenizer = *std::move(tokenizer);
    if (reference_class == ReferenceClass::kSiglip) {
      status = CheckSiglip(document_, class_options_.do_lower_case);
      if (!status.ok()) return base::Annotate(status, Path("tokenizer.json"));
    }
    WarnOfIds();
    return absl::OkStatus();
  }

  // The tokens that are added, and the special ones by name.
  absl::Status SetTokens() {
    const ReferenceClass reference_class = result_.reference_class;
    std::vector<std::string> in_file;
    options_in_.file_tokens = KeepsFile(reference_class);
    if (options_in_.file_tokens && tokens_.file_tokens != nullptr) {
      for (const json& entry : *tokens_.file_tokens) {
        if (entry.is_object() && entry.value("content", json()).is_string()) {
          in_file.push_back(entry["content"].get<std::string>());
        }
      }
    }
    options_in_.more_tokens.push_back(TokensToAdd(arguments_, in_file));
    options_in_.refresh_tokens = reference_class == ReferenceClass::kSiglip2;
    for (const auto& [name, token] : arguments_.named) {
      if (token) result_.special_tokens[name] = token->content;
    }
    for (const auto& [name, token] : arguments_.model_specific) {
      result_.special_tokens[name] = token.content;
    }
    std::vector<TokenDescription> all_special;
    const auto add_special = [&](const std::string& content) {
      all_special.push_back({.content = content, .special = true});
    };
    for (const absl::string_view name : kTokenNames) {
      if (Named(name)) add_special(Named(name)->content);
    }
    for (const auto& [name, token] : arguments_.model_specific) add_special(token.content);
    for (const TokenArgument& token : arguments_.extra) {
      result_.extra_special_tokens.push_back(token.content);
      add_special(token.content);
    }
    // This class adds them once more, without properties.
    if (reference_class == ReferenceClass::kQwen2) {
      options_in_.more_tokens.push_back(std::move(all_special));
    }
    return SetTemplate();
  }

  absl::Status SetTemplate() {
    auto names = NamesAround(result_.reference_class);
    if (names) {
      for (std::string* name : {&names->before, &names->after}) {
        const auto& token = Named(*name);
        if (!token || token->content.empty()) {
          return Fault(absl::StrCat("tokenizer_config.json: ", *name,
                                    ": null, expected the token "
                                    "that ",
                                    NameOf(result_.reference_class), " puts around texts"));
        }
        *name = token->content;
      }
      options_in_.around = std::move(names);
    }
    const bool needs_unknown = result_.reference_class == ReferenceClass::kBert ||
                               result_.reference_class == ReferenceClass::kClip ||
                               result_.reference_class == ReferenceClass::kGemma ||
                               result_.reference_class == ReferenceClass::kSiglip2;
    if (needs_unknown && class_options_.unk_token.empty()) {
      return Fault("tokenizer_config.json: unk_token: null, expected a token of the vocabulary");
    }
    return absl::OkStatus();
  }

  // Stages that a class makes by itself, although the file has others.
  void WarnOfSections(const json& before) const {
    const json after = SectionsOf(document_);
    for (const auto& [section, stages] : before.items()) {
      if (stages == after[section]) continue;
      settings::Warn(absl::StrCat(
          Path("tokenizer.json: "), section, ": ", NameOf(result_.reference_class),
          " makes another, which counts in transformers and so does here; tokenizer_class of "
          "tokenizer_config.json chooses it"));
    }
  }

  // transformers passes over the ids in these files, and gives its own.
  void WarnOfIds() const {
    for (const auto& [id, token] : arguments_.by_id) {
      const auto given = result_.tokenizer->TokenId(token.content);
      if (!given || *given == id) continue;
      settings::Warn(absl::StrCat(files_.folder, ": the added token \"", token.content,
                                  "\" is written with the id ", id, ", transformers gives it ",
                                  *given, ", and so does this"));
    }
  }

  const FolderFiles& files_;
  const FolderOptions& options_;
  ordered_json config_;
  TokenFiles tokens_;
  json document_;
  TokenArguments arguments_;
  ClassOptions class_options_;
  TokenizerOptions options_in_;
  FolderTokenizer result_;
};

absl::StatusOr<absl::optional<std::string>> ReadIfThere(const std::string& path) {
  if (!std::filesystem::exists(path)) return absl::optional<std::string>();
  TERMINUS_ASSIGN_OR_RETURN(std::string text, base::ReadFile(path, kMaxFileBytes));
  return absl::optional<std::string>(std::move(text));
}

}  // namespace

std::string FolderTokenizer::Special(const std::string& name) const {
  const auto found = special_tokens.find(name);
  return found == special_tokens.end() ? "" : found->second;
}

absl::StatusOr<FolderTokenizer> LoadFiles(const FolderFiles& files, const FolderOptions& options) {
  return Maker(files, options).Make();
}

absl::StatusOr<FolderTokenizer> LoadFolder(const std::string& folder,
                                           const FolderOptions& options) {
  FolderFiles files{.folder = folder};
  TERMINUS_ASSIGN_OR_RETURN(files.tokenizer,
                            base::ReadFile(folder + "/tokenizer.json", kMaxFileBytes));
  TERMINUS_ASSIGN_OR_RETURN(files.tokenizer_config, ReadIfThere(folder + "/tokenizer_config.json"));
  TERMINUS_ASSIGN_OR_RETURN(files.special_tokens_map,
                            ReadIfThere(folder + "/special_tokens_map.json"));
  TERMINUS_ASSIGN_OR_RETURN(files.added_tokens, ReadIfThere(folder + "/added_tokens.json"));
  TERMINUS_ASSIGN_OR_RETURN(files.config, ReadIfThere(folder + "/config.json"));
  return LoadFiles(files, options);
}

absl::StatusOr<std::unique_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  const std::filesystem::path file(path);
  if (file.filename() == "tokenizer.json") {
    const std::string parent = file.has_parent_path() ? file.parent_path().string() : ".";
    TERMINUS_ASSIGN_OR_RETURN(FolderTokenizer folder, LoadFolder(parent, FolderOptions{}));
    return std::move(folder.tokenizer);
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::string json, base::ReadFile(path, kMaxFileBytes));
  auto tokenizer = FromJson(json);
  if (!tokenizer.ok()) return base::Annotate(tokenizer.status(), path);
  return tokenizer;
}

}  // namespace terminus::tokenizer
