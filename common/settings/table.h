#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// Declarations of the keys that a model folder's JSON files may have. A reader of such a file binds
// to a table (json_file.h), so that no key is ever ignored without a reason that stands here.
namespace terminus::settings {

enum class Effect {
  kUsed,      // The reader asks for the value and computes what it says.
  kFixed,     // Any other value than the accepted ones would change results: refused.
  kNoEffect,  // No value changes a result.
};

struct Table;

// One declared key. JSON null passes for every key: it means that the default holds.
struct Key {
  absl::string_view name;
  Effect effect = Effect::kUsed;
  // For people, in docs and messages: what the key sets, what another value would change, or why no
  // value has an effect.
  absl::string_view why;
  // kFixed: the values that are computed, as a JSON array; the reference's default is among them.
  absl::string_view accepted = "[]";
  // The value is an object with these keys; null where it is not, or where its keys are free.
  const Table* object = nullptr;
  // kNoEffect: that the key is there is worth a warning.
  bool warns = false;
};

constexpr Key Used(absl::string_view name, absl::string_view why) {
  return {.name = name, .effect = Effect::kUsed, .why = why};
}
constexpr Key UsedObject(absl::string_view name, const Table* object, absl::string_view why) {
  return {.name = name, .effect = Effect::kUsed, .why = why, .accepted = "[]", .object = object};
}
constexpr Key Fixed(absl::string_view name, absl::string_view accepted, absl::string_view why) {
  return {.name = name, .effect = Effect::kFixed, .why = why, .accepted = accepted};
}
constexpr Key NoEffect(absl::string_view name, absl::string_view why) {
  return {.name = name, .effect = Effect::kNoEffect, .why = why};
}
constexpr Key Warned(absl::string_view name, absl::string_view why) {
  return {.name = name,
          .effect = Effect::kNoEffect,
          .why = why,
          .accepted = "[]",
          .object = nullptr,
          .warns = true};
}

// The keys of one kind of file, such as the config.json of "bert". Immutable, and lives as long as
// the process.
struct Table {
  absl::string_view file;  // "config.json"
  absl::string_view
      kind;  // "bert"; with a dot behind it the path of an object: "llama.rope_scaling"
  absl::Span<const Key> keys;
  // Tables whose keys count too, where `keys` has none of the name.
  absl::Span<const Table* const> bases = {};

  // Null for a key that is not declared.
  const Key* Find(absl::string_view name) const;
  // All keys, those of the bases included, each name once.
  std::vector<const Key*> All() const;
  // "config.json of bert"
  std::string Name() const;
};

// The findings of a check, each with the path of its key.
struct Findings {
  std::vector<std::string> faults;    // Why the file is refused.
  std::vector<std::string> warnings;  // Of keys declared by Warned().
  std::vector<std::string> unknown;   // Keys that are not declared.
};

// Looks at each key of `object`, and of the objects inside it that have tables. `prefix` stands
// before the keys in messages: empty, or a path with a dot at its end.
void CheckKeys(const nlohmann::json& object, const Table& table, const std::string& prefix,
               Findings* findings);

// The table as Markdown: a heading with `level` marks, then a row a key. Bases that are among
// `others` are named in place of their keys.
std::string FormatMarkdown(const Table& table, int level,
                           absl::Span<const Table* const> others = {});

}  // namespace terminus::settings
