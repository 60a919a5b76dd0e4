#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "common/tokenizer/folder_config.h"
#include "common/tokenizer/reference_class.h"
#include "common/tokenizer/tokenizer.h"

// A model folder's tokenizer: tokenizer.json together with the files beside it, which may change
// what it does. Ids and texts are those of transformers' AutoTokenizer, or the folder is refused.
namespace terminus::tokenizer {

struct FolderTokenizer {
  std::unique_ptr<const Tokenizer> tokenizer;
  // The class of transformers that does the same.
  ReferenceClass reference_class = ReferenceClass::kBackend;
  // Tokens of an input at most, those of the template included; nothing where no file says so.
  absl::optional<int64_t> model_max_length;
  Side padding_side = Side::kRight;
  Side truncation_side = Side::kRight;
  // Special tokens by name, such as "pad_token"; one without a value is absent.
  std::map<std::string, std::string> special_tokens;
  std::vector<std::string> extra_special_tokens;
  // The inputs that the tokenizer makes for a model: "input_ids", "attention_mask" and others.
  std::vector<std::string> model_input_names;

  // The token of a name; empty if there is none.
  std::string Special(const std::string& name) const;
};

struct FolderOptions {
  // Whether ids are turned into text, as generation does it.
  bool decodes = false;
  // Whether text is lowered before anything else, as sentence-transformers does it for its own
  // do_lower_case.
  bool lower_case = false;
};

// The texts of a folder's files; nothing for one that is not there.
struct FolderFiles {
  std::string folder;  // for messages
  std::string tokenizer = {};
  absl::optional<std::string> tokenizer_config = {};
  absl::optional<std::string> special_tokens_map = {};
  absl::optional<std::string> added_tokens = {};
  absl::optional<std::string> config = {};
  absl::optional<std::string> spiece_model = {};
};

// Reads the files of a folder. INVALID_ARGUMENT and NOT_FOUND name the file, and the key in it.
// What is worth a warning goes to the collector of settings.
absl::StatusOr<FolderTokenizer> LoadFolder(const std::string& folder, const FolderOptions& options);

// The same from texts at hand.
absl::StatusOr<FolderTokenizer> LoadFiles(const FolderFiles& files, const FolderOptions& options);

}  // namespace terminus::tokenizer
