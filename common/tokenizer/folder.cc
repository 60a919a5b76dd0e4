#include "common/tokenizer/folder.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/settings/collector.h"
#include "common/tokenizer/class_defaults.h"
#include "common/tokenizer/class_document.h"
#include "common/tokenizer/folder_config.h"
#include "common/tokenizer/folder_settings.h"
#include "common/tokenizer/library_json.h"
#include "common/tokenizer/siglip_pipeline.h"
#include "common/tokenizer/token_arguments.h"

namespace terminus::tokenizer {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

absl::StatusOr<ordered_json> ParseObject(const absl::optional<std::string>& text,
                                         const std::string& path) {
  if (!text) return ordered_json();
  ordered_json object = ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a JSON object"));
  }
  return object;
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
    if (*chosen == ReferenceClass::kSiglip) {
      file_tokens_ = document_.value("added_tokens", json());
      document_ = json::object();
      if (tokens_.file_tokens != nullptr) tokens_.file_tokens = &file_tokens_;
    } else if (!KeepsFile(*chosen)) {
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
    TERMINUS_ASSIGN_OR_RETURN(FolderConfig config,
                              ReadFolderConfig({.path = Path("tokenizer_config.json"),
                                                .config = tokens_.tokenizer_config,
                                                .document = document_,
                                                .reference_class = result_.reference_class,
                                                .decodes = options_.decodes}));
    result_.padding_side = config.padding_side;
    result_.truncation_side = config.truncation_side;
    result_.model_max_length = config.model_max_length;
    result_.model_input_names = std::move(config.model_input_names);
    options_in_.truncate_left = config.truncation_side == Side::kLeft;
    options_in_.split_special_tokens = config.split_special_tokens;
    class_options_ = std::move(config.class_options);
    if (Named("unk_token")) class_options_.unk_token = Named("unk_token")->content;
    return absl::OkStatus();
  }

  const absl::optional<TokenArgument>& Named(absl::string_view name) const {
    static const absl::optional<TokenArgument> kNone;
    const auto found = arguments_.named.find(name);
    return found == arguments_.named.end() ? kNone : found->second;
  }

  absl::Status Build() {
    const ReferenceClass reference_class = result_.reference_class;
    NameSpecialTokens();
    if (reference_class == ReferenceClass::kSiglip) return BuildSiglip();
    TERMINUS_RETURN_IF_ERROR(SetTokens());
    const json sections = StagesOf(document_);
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
    WarnOfIds();
    return absl::OkStatus();
  }

  // SiglipTokenizer takes no more than added tokens from tokenizer.json, and those only where
  // tokenizer_config.json has none.
  absl::Status BuildSiglip() {
    // sentence-transformers sets the argument of this class for its own do_lower_case.
    SiglipOptions options{.do_lower_case = class_options_.do_lower_case || options_.lower_case,
                          .legacy = class_options_.legacy,
                          .split_special_tokens = options_in_.split_special_tokens,
                          .special = SpecialContents()};
    for (const char* name : {"unk_token", "eos_token"}) {
      if (Named(name)) continue;
      return Fault(absl::StrCat("tokenizer_config.json: ", name,
                                ": null, expected a token; SiglipTokenizer puts it beside texts"));
    }
    if (!files_.spiece_model) {
      return Fault(
          "spiece.model: missing; SiglipTokenizer reads it. Where tokenizer.json is to "
          "count, tokenizer_class is PreTrainedTokenizerFast");
    }
    options.unk_token = Named("unk_token")->content;
    for (const auto& [id, token] : arguments_.by_id) options.added[id] = token.Description();
    auto pipeline = SiglipPipeline::Create(*files_.spiece_model, std::move(options));
    if (!pipeline.ok()) return base::Annotate(pipeline.status(), Path("spiece.model"));
    TERMINUS_ASSIGN_OR_RETURN(
        result_.tokenizer, Tokenizer::FromSiglip(*std::move(pipeline), Named("eos_token")->content,
                                                 result_.truncation_side == Side::kLeft));
    return absl::OkStatus();
  }

  // The special tokens, those with names first, in the order of transformers.
  std::vector<std::string> SpecialContents() const {
    std::vector<std::string> contents;
    for (const absl::string_view name : kTokenNames) {
      if (Named(name)) contents.push_back(Named(name)->content);
    }
    for (const auto& [name, token] : arguments_.model_specific) contents.push_back(token.content);
    for (const TokenArgument& token : arguments_.extra) contents.push_back(token.content);
    return contents;
  }

  void NameSpecialTokens() {
    for (const auto& [name, token] : arguments_.named) {
      if (token) result_.special_tokens[name] = token->content;
    }
    for (const auto& [name, token] : arguments_.model_specific) {
      result_.special_tokens[name] = token.content;
    }
    for (const TokenArgument& token : arguments_.extra) {
      result_.extra_special_tokens.push_back(token.content);
    }
  }

  // The tokens that are added.
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
    // This class adds them once more, without properties.
    if (reference_class == ReferenceClass::kQwen2) {
      std::vector<TokenDescription> all_special;
      for (std::string& content : SpecialContents()) {
        all_special.push_back({.content = std::move(content), .special = true});
      }
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
    const json after = StagesOf(document_);
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
  json document_;     // null sections where the class does not read them
  json file_tokens_;  // of such a class
  TokenArguments arguments_;
  ClassOptions class_options_;
  TokenizerOptions options_in_;
  FolderTokenizer result_;
};

}  // namespace

absl::StatusOr<FolderTokenizer> LoadFiles(const FolderFiles& files, const FolderOptions& options) {
  return Maker(files, options).Make();
}

}  // namespace terminus::tokenizer
