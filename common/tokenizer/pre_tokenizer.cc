#include "common/tokenizer/pre_tokenizer.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "common/base/status_macros.h"
#include "common/tokenizer/bert_pre_tokenizer.h"
#include "common/tokenizer/byte_level.h"
#include "common/tokenizer/class_split.h"
#include "common/tokenizer/json_node.h"
#include "common/tokenizer/metaspace.h"
#include "common/tokenizer/regex_split.h"
#include "common/tokenizer/unicode.h"

namespace terminus::tokenizer {
namespace {

using Stages = std::vector<std::unique_ptr<const PreTokenizer>>;

// Each stage cuts the words of the one before it.
class Sequence : public PreTokenizer {
 public:
  explicit Sequence(Stages stages) : stages_(std::move(stages)) {}

  void Split(absl::string_view text, WordList& words) const override {
    std::vector<absl::string_view> before;
    before.swap(words.list);
    words.list.push_back(text);
    std::vector<absl::string_view> current;
    for (const auto& stage : stages_) {
      current.clear();
      current.swap(words.list);
      for (const absl::string_view word : current) stage->Split(word, words);
    }
    if (!before.empty()) words.list.insert(words.list.begin(), before.begin(), before.end());
  }

 private:
  const Stages stages_;
};

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeByteLevel(const JsonNode& section) {
  ByteLevelPreTokenizer::Options options;
  TERMINUS_ASSIGN_OR_RETURN(options.add_prefix_space, section.BoolOr("add_prefix_space", true));
  TERMINUS_ASSIGN_OR_RETURN(options.use_regex, section.BoolOr("use_regex", true));
  return std::make_unique<ByteLevelPreTokenizer>(options);
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeMetaspace(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(Metaspace::Options options, Metaspace::OptionsFromJson(section));
  return std::make_unique<Metaspace>(std::move(options));
}

absl::StatusOr<SplitBehavior> BehaviorOf(const JsonNode& section) {
  constexpr std::pair<const char*, SplitBehavior> kBehaviors[] = {
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
      {"Contiguous", SplitBehavior::kContiguous},
  };
  const JsonNode node = section.Member("behavior");
  TERMINUS_ASSIGN_OR_RETURN(const std::string name, node.String());
  for (const auto& [known, behavior] : kBehaviors) {
    if (name == known) {
      return behavior;
    }
  }
  return node.Unexpected("Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

// A text as a regular expression that matches it and nothing else.
std::string Escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && !absl::ascii_isalnum(c)) {
      escaped.push_back('\\');
    }
    escaped.push_back(c);
  }
  return escaped;
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeSplit(const JsonNode& section) {
  const JsonNode node = section.Member("pattern");
  TERMINUS_RETURN_IF_ERROR(node.ExpectObject());
  const JsonNode regex = node.Member("Regex");
  std::string pattern;
  if (!regex.IsNull()) {
    TERMINUS_ASSIGN_OR_RETURN(pattern, regex.String());
  } else {
    TERMINUS_ASSIGN_OR_RETURN(const std::string text, node.Member("String").String());
    pattern = Escaped(text);
  }
  TERMINUS_ASSIGN_OR_RETURN(const SplitBehavior behavior, BehaviorOf(section));
  TERMINUS_ASSIGN_OR_RETURN(const bool invert, section.BoolOr("invert", false));
  auto split = RegexSplit::Create(pattern, behavior, invert);
  if (!split.ok()) {
    return node.Error(split.status().message());
  }
  return split;
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeSequence(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(const auto flat, section.Flattened("pretokenizers"));
  Stages stages;
  for (const JsonNode& element : flat) {
    TERMINUS_ASSIGN_OR_RETURN(stages.emplace_back(), MakePreTokenizer(element));
    // What comes behind it would see bytes as characters.
    if (element.HasType("ByteLevel") && stages.size() < flat.size()) {
      return element.Member("type").Error("ByteLevel is supported only at the end of a Sequence");
    }
  }
  return std::make_unique<Sequence>(std::move(stages));
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakeDigits(const JsonNode& section) {
  TERMINUS_ASSIGN_OR_RETURN(const bool individual, section.BoolOr("individual_digits", false));
  return std::make_unique<ClassSplit>(
      kNumber, individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
}

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePunctuation(const JsonNode& section) {
  SplitBehavior behavior = SplitBehavior::kIsolated;
  if (!section.Member("behavior").IsNull()) {
    TERMINUS_ASSIGN_OR_RETURN(behavior, BehaviorOf(section));
  }
  return std::make_unique<ClassSplit>(kPunctuation, behavior);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const PreTokenizer>> MakePreTokenizer(const JsonNode& section) {
  if (section.IsNull()) return std::make_unique<WholePreTokenizer>();
  TERMINUS_RETURN_IF_ERROR(section.ExpectType("pre_tokenizer"));
  const auto& type = section.Member("type").value();
  if (type == "ByteLevel") return MakeByteLevel(section);
  if (type == "Digits") return MakeDigits(section);
  if (type == "Metaspace") return MakeMetaspace(section);
  if (type == "Punctuation") return MakePunctuation(section);
  if (type == "Sequence") return MakeSequence(section);
  if (type == "Split") return MakeSplit(section);
  if (type == "Whitespace") return std::make_unique<WhitespacePreTokenizer>();
  if (type == "WhitespaceSplit") {
    return std::make_unique<ClassSplit>(kSpace, SplitBehavior::kRemoved);
  }
  return std::make_unique<BertPreTokenizer>();
}

PreTokenizerTraits TraitsOf(const JsonNode& section) {
  PreTokenizerTraits traits;
  const auto flat = section.Flattened("pretokenizers").value_or(std::vector<JsonNode>{});
  if (flat.empty()) return traits;
  traits.bytes = flat.back().HasType("ByteLevel");
  for (size_t i = 0; i < flat.size(); ++i) {
    if (!flat[i].HasType("Metaspace") || flat[i].Member("prepend_scheme").value() != "first") {
      continue;
    }
    traits.marks_beginning = true;
    traits.marks_beginning_late |= i > 0;
  }
  return traits;
}

}  // namespace terminus::tokenizer
