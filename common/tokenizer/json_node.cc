#include "common/tokenizer/json_node.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/check.h"
#include "common/base/status_macros.h"
#include "common/settings/collector.h"
#include "common/tokenizer/json_settings.h"

namespace terminus::tokenizer {
namespace {

const nlohmann::json kNull;

// Enough of a value to recognise it by.
std::string Excerpt(const nlohmann::json& value) {
  constexpr size_t kMaxBytes = 60;
  if (value.is_object()) return "an object";
  if (value.is_array()) return absl::StrCat("an array of ", value.size());
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kMaxBytes) text = text.substr(0, kMaxBytes) + "…";
  return text;
}

}  // namespace

JsonNode JsonNode::Member(const std::string& key) const {
  std::string path = path_.empty() ? key : absl::StrCat(path_, ".", key);
  const nlohmann::json* member = &kNull;
  if (value_->is_object()) {
    if (const auto found = value_->find(key); found != value_->end()) member = &*found;
  }
  return JsonNode(member, std::move(path));
}

absl::StatusOr<std::vector<JsonNode>> JsonNode::Elements() const {
  if (!value_->is_array()) return Unexpected("an array");
  std::vector<JsonNode> elements;
  for (const nlohmann::json& element : *value_) {
    elements.push_back(JsonNode(&element, absl::StrCat(path_, "[", elements.size(), "]")));
  }
  return elements;
}

absl::StatusOr<bool> JsonNode::Bool() const {
  if (!value_->is_boolean()) return Unexpected("true or false");
  return value_->get<bool>();
}

absl::StatusOr<std::string> JsonNode::String() const {
  if (!value_->is_string()) return Unexpected("a string");
  return value_->get<std::string>();
}

absl::StatusOr<std::string> JsonNode::Character() const {
  TERMINUS_ASSIGN_OR_RETURN(std::string text, String());
  const auto is_first_byte = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  if (std::count_if(text.begin(), text.end(), is_first_byte) != 1) {
    return Unexpected("one character");
  }
  return text;
}

absl::StatusOr<int32_t> JsonNode::Index() const {
  constexpr uint64_t kMax = std::numeric_limits<int32_t>::max() - 1;
  if (!value_->is_number_unsigned() || value_->get<uint64_t>() > kMax) {
    return Unexpected(absl::StrCat("a whole number from 0 to ", kMax));
  }
  return static_cast<int32_t>(value_->get<uint64_t>());
}

absl::StatusOr<bool> JsonNode::BoolOr(const std::string& key, bool otherwise) const {
  const JsonNode member = Member(key);
  if (member.IsNull()) return otherwise;
  return member.Bool();
}

absl::StatusOr<std::string> JsonNode::StringOr(const std::string& key,
                                               const std::string& otherwise) const {
  const JsonNode member = Member(key);
  if (member.IsNull()) return otherwise;
  return member.String();
}

bool JsonNode::HasType(absl::string_view type) const {
  const JsonNode member = Member("type");
  return member.value().is_string() && member.value().get_ref<const std::string&>() == type;
}

absl::Status JsonNode::Flatten(const std::string& key, int depth,
                               std::vector<JsonNode>& flat) const {
  constexpr int kMaxDepth = 8;
  if (!HasType("Sequence")) {
    flat.push_back(*this);
    return absl::OkStatus();
  }
  if (depth == kMaxDepth) {
    return Error(absl::StrCat("at most ", kMaxDepth, " sequences inside each other are supported"));
  }
  TERMINUS_ASSIGN_OR_RETURN(const auto elements, Member(key).Elements());
  for (const JsonNode& element : elements) {
    TERMINUS_RETURN_IF_ERROR(element.Flatten(key, depth + 1, flat));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<JsonNode>> JsonNode::Flattened(const std::string& key) const {
  std::vector<JsonNode> flat;
  TERMINUS_RETURN_IF_ERROR(Flatten(key, 0, flat));
  return flat;
}

absl::Status JsonNode::ExpectObject() const {
  return value_->is_object() ? absl::OkStatus() : Unexpected("an object");
}

absl::Status JsonNode::ExpectType(absl::string_view part) const {
  TERMINUS_RETURN_IF_ERROR(ExpectObject());
  const JsonNode type = Member("type");
  if (type.value().is_string()) {
    const std::string table = absl::StrCat(part, ".", type.value().get_ref<const std::string&>());
    if (SectionTable(table) != nullptr) return CheckKeys(table);
  }
  std::vector<absl::string_view> supported;
  for (const settings::Table* table : SectionTables()) {
    absl::string_view name = table->kind;
    if (absl::ConsumePrefix(&name, part) && absl::ConsumePrefix(&name, ".")) {
      supported.push_back(name);
    }
  }
  return type.Unexpected(absl::StrCat("one of the supported ", absl::StrJoin(supported, ", ")));
}

absl::Status JsonNode::CheckKeys(absl::string_view table) const {
  TERMINUS_RETURN_IF_ERROR(ExpectObject());
  const settings::Table* const declared = SectionTable(table);
  TERMINUS_CHECK(declared != nullptr);
  settings::Findings findings;
  settings::CheckKeys(*value_, *declared, path_.empty() ? "" : absl::StrCat(path_, "."), &findings);
  if (!findings.faults.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(findings.faults, "; "));
  }
  if (!findings.unknown.empty()) {
    settings::Warn(absl::StrCat("tokenizer.json: unknown keys, not looked at: ",
                                absl::StrJoin(findings.unknown, ", ")));
  }
  return absl::OkStatus();
}

absl::Status JsonNode::Error(absl::string_view message) const {
  if (path_.empty()) return absl::InvalidArgumentError(message);
  return absl::InvalidArgumentError(absl::StrCat(path_, ": ", message));
}

absl::Status JsonNode::Unexpected(absl::string_view expected) const {
  return Error(
      absl::StrCat("found ", IsNull() ? "nothing" : Excerpt(*value_), ", expected ", expected));
}

}  // namespace terminus::tokenizer
