#include "common/settings/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/check.h"

namespace terminus::settings {
namespace {

using nlohmann::json;

// Values in messages are cut behind so many bytes.
constexpr size_t kShownBytes = 80;

std::string Shown(const json& value) {
  const std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  return text.size() <= kShownBytes ? text : absl::StrCat(text.substr(0, kShownBytes), "…");
}

json AcceptedValues(const Key& key) {
  json values = json::parse(key.accepted.begin(), key.accepted.end(), nullptr,
                            /*allow_exceptions=*/false);
  TERMINUS_CHECK(values.is_array());
  return values;
}

// "supported is a", "supported are a, b", or nothing where only null is.
std::string Supported(const Key& key) {
  std::vector<std::string> values;
  for (const json& value : AcceptedValues(key)) {
    values.push_back(Shown(value));
  }
  if (values.empty()) {
    return "not supported";
  }
  return absl::StrCat(values.size() == 1 ? "supported is " : "supported are ",
                      absl::StrJoin(values, ", "));
}

void CheckFixed(const Key& key, const json& value, const std::string& path, Findings* findings) {
  const json accepted = AcceptedValues(key);
  if (std::find(accepted.begin(), accepted.end(), value) == accepted.end()) {
    findings->faults.push_back(
        absl::StrCat(path, ": ", Shown(value), ", ", Supported(key), " (", key.why, ")"));
  }
}

absl::string_view EffectName(Effect effect) {
  switch (effect) {
    case Effect::kUsed:
      return "used";
    case Effect::kFixed:
      return "fixed";
    case Effect::kNoEffect:
      break;
  }
  return "no effect";
}

std::string Escaped(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

// Those of bases too, but for `others`.
void AddKeys(const Table& table, absl::Span<const Table* const> others,
             std::vector<const Key*>* keys) {
  for (const Key& key : table.keys) {
    const bool known = std::any_of(keys->begin(), keys->end(),
                                   [&](const Key* other) { return other->name == key.name; });
    if (!known) {
      keys->push_back(&key);
    }
  }
  for (const Table* base : table.bases) {
    if (std::find(others.begin(), others.end(), base) == others.end()) {
      AddKeys(*base, others, keys);
    }
  }
}

// The kinds of the bases that are among `others`, each once.
void AddKinds(const Table& table, absl::Span<const Table* const> others,
              std::vector<std::string>* kinds) {
  for (const Table* base : table.bases) {
    if (std::find(others.begin(), others.end(), base) == others.end()) {
      AddKinds(*base, others, kinds);
      continue;
    }
    std::string kind = absl::StrCat("\"", base->kind, "\"");
    if (std::find(kinds->begin(), kinds->end(), kind) == kinds->end()) {
      kinds->push_back(std::move(kind));
    }
  }
}

}  // namespace

const Key* Table::Find(absl::string_view name) const {
  for (const Key& key : keys) {
    if (key.name == name) {
      return &key;
    }
  }
  for (const Table* base : bases) {
    if (const Key* key = base->Find(name)) {
      return key;
    }
  }
  return nullptr;
}

std::vector<const Key*> Table::All() const {
  std::vector<const Key*> all;
  AddKeys(*this, {}, &all);
  return all;
}

std::string Table::Name() const { return absl::StrCat(file, " of ", kind); }

void CheckKeys(const json& object, const Table& table, const std::string& prefix,
               Findings* findings) {
  for (const auto& [name, value] : object.items()) {
    const std::string path = prefix + name;
    const Key* key = table.Find(name);
    if (key == nullptr) {
      findings->unknown.push_back(path);
      continue;
    }
    if (value.is_null()) {
      continue;
    }
    if (key->effect == Effect::kFixed) {
      CheckFixed(*key, value, path, findings);
    } else if (key->warns) {
      findings->warnings.push_back(absl::StrCat(path, ": not looked at (", key->why, ")"));
    }
    if (key->object != nullptr && value.is_object()) {
      CheckKeys(value, *key->object, path + ".", findings);
    }
  }
}

std::string FormatMarkdown(const Table& table, int level, absl::Span<const Table* const> others) {
  std::string text = absl::StrCat(std::string(static_cast<size_t>(level), '#'), " `", table.file,
                                  "`: ", table.kind, "\n\n| key | effect | |\n|---|---|---|\n");
  std::vector<const Key*> keys;
  AddKeys(table, others, &keys);
  std::sort(keys.begin(), keys.end(), [](const Key* a, const Key* b) { return a->name < b->name; });
  for (const Key* key : keys) {
    std::string effect(EffectName(key->effect));
    if (key->effect == Effect::kFixed) {
      const json accepted = AcceptedValues(*key);
      std::vector<std::string> values;
      for (const json& value : accepted) {
        values.push_back(absl::StrCat("`", Escaped(Shown(value)), "`"));
      }
      effect = values.empty() ? "refused" : absl::StrCat("only ", absl::StrJoin(values, ", "));
    }
    absl::StrAppend(&text, "| `", key->name, "` | ", effect, " | ", Escaped(key->why), " |\n");
  }
  std::vector<std::string> kinds;
  AddKinds(table, others, &kinds);
  if (!kinds.empty()) {
    absl::StrAppend(&text, "\nOther keys as in ", absl::StrJoin(kinds, " and "), ".\n");
  }
  return text;
}

}  // namespace terminus::settings
