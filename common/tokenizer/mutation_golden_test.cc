// Changed tokenizer files: what transformers makes of them, or a refusal that names the key.
// tests/golden/settings/make_tokenizer_mutations.py writes the golden down.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/settings/collector.h"
#include "common/tokenizer/folder.h"
#include "common/tokenizer/folder_settings.h"
#include "common/tokenizer/golden_files.h"

namespace terminus::tokenizer {
namespace {

using Json = nlohmann::ordered_json;

const Json& Golden() {
  static const Json golden = [] {
    const auto text = base::ReadFile("tests/golden/settings/tokenizer_mutations.json", 16 << 20);
    EXPECT_TRUE(text.ok()) << text.status();
    return Json::parse(*text);
  }();
  return golden;
}

// The files of a family.
Json FilesOf(const Json& family) {
  Json files = family["files"];
  const auto text = base::ReadFile(kGoldenFolder + family["base"].get<std::string>(), 16 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  files["tokenizer.json"] = Json::parse(*text);
  return files;
}

// Sets a value, or takes the key away.
void Change(const Json& change, Json* files) {
  Json* content = &(*files)[change[0].get<std::string>()];
  if (content->is_null()) *content = Json::object();
  const Json& path = change[1];
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    content = path[i].is_number() ? &(*content)[path[i].get<size_t>()]
                                  : &(*content)[path[i].get<std::string>()];
  }
  const auto key = path.back().get<std::string>();
  if (change[2] == "absent") {
    content->erase(key);
  } else {
    (*content)[key] = change[2];
  }
}

absl::StatusOr<FolderTokenizer> Load(const Json& files, bool generates) {
  FolderFiles texts{.folder = "folder"};
  const auto text_of = [&](const char* name) {
    return files.contains(name) ? absl::make_optional(files[name].dump()) : absl::nullopt;
  };
  texts.tokenizer = *text_of("tokenizer.json");
  texts.tokenizer_config = text_of("tokenizer_config.json");
  texts.special_tokens_map = text_of("special_tokens_map.json");
  texts.added_tokens = text_of("added_tokens.json");
  texts.config = text_of("config.json");
  if (files.contains("spiece.model")) texts.spiece_model = ReadGolden(files["spiece.model"]);
  return LoadFiles(texts, {.decodes = generates});
}

Json SideName(Side side) { return side == Side::kLeft ? "left" : "right"; }

// What a tokenizer makes of the golden's inputs.
struct Result {
  std::vector<Json> ids;
  std::vector<Json> bare;
  std::vector<Json> decoded;
  std::vector<Json> skipped;
  Json facts;
};

Result ResultOf(const FolderTokenizer& folder, bool generates) {
  const Tokenizer& tokenizer = *folder.tokenizer;
  Result result;
  std::vector<std::vector<int32_t>> lists;
  for (const Json& text : Golden()["texts"]) {
    const auto ids = tokenizer.Encode(text.get<std::string>());
    const auto bare = tokenizer.Encode(text.get<std::string>(), {.add_special_tokens = false});
    EXPECT_TRUE(ids.ok()) << ids.status();
    EXPECT_TRUE(bare.ok()) << bare.status();
    result.ids.emplace_back(ids->ids);
    result.bare.emplace_back(bare->ids);
    lists.push_back(ids->ids);
  }
  result.facts = {{"length", folder.model_max_length ? Json(*folder.model_max_length) : Json()},
                  {"sides", {SideName(folder.padding_side), SideName(folder.truncation_side)}},
                  {"special", folder.special_tokens},
                  {"extra", folder.extra_special_tokens},
                  {"inputs", folder.model_input_names}};
  if (!generates) return result;
  for (const Json& list : Golden()["id_lists"]) lists.push_back(list.get<std::vector<int32_t>>());
  for (const auto& list : lists) {
    const auto decoded = tokenizer.Decode(list, /*skip_special_tokens=*/false);
    const auto skipped = tokenizer.Decode(list, /*skip_special_tokens=*/true);
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(skipped.ok()) << skipped.status();
    result.decoded.emplace_back(*decoded);
    result.skipped.emplace_back(*skipped);
  }
  return result;
}

// The result at a place of the golden.
Result GoldenResult(size_t place) {
  const Json& golden = Golden()["results"][place];
  const auto values = [&](const char* pool, const Json& places) {
    std::vector<Json> found;
    for (const Json& one : places) found.push_back(Golden()[pool][one.get<size_t>()]);
    return found;
  };
  return {.ids = values("ids", golden[0]),
          .bare = values("ids", golden[1]),
          .decoded = values("decoded", golden[2]),
          .skipped = values("decoded", golden[3]),
          .facts = Golden()["facts"][golden[4].get<size_t>()]};
}

// Compares without regard to the order of keys; a length may be 12 or 12.0.
bool Same(const Json& a, const Json& b) {
  return nlohmann::json::parse(a.dump()) == nlohmann::json::parse(b.dump());
}

// Whether a refusal names the key of a change.
bool Names(const std::string& message, const Json& change) {
  for (const Json& step : change[1]) {
    if (step.is_string() && absl::StrContains(message, step.get<std::string>())) return true;
  }
  return false;
}

// Loads changed files and compares. `expected` is a place among the results, or -1.
struct Counts {
  int equal = 0;
  int refused = 0;
  int free = 0;
};

void Check(const Json& files, bool generates, int expected, const std::vector<const Json*>& changes,
           Counts* counts) {
  const settings::Collector collector;
  const auto folder = Load(files, generates);
  std::string shown;
  for (const Json* change : changes) {
    absl::StrAppend(&shown, (*change)[0].dump(), (*change)[1].dump(), " = ", (*change)[2].dump(),
                    "\n");
  }
  if (expected < 0) {
    ++counts->free;  // transformers fails
  } else if (folder.ok()) {
    ++counts->equal;
    const Result golden = GoldenResult(static_cast<size_t>(expected));
    const Result found = ResultOf(*folder, generates);
    EXPECT_EQ(found.ids, golden.ids) << shown;
    EXPECT_EQ(found.bare, golden.bare) << shown;
    EXPECT_EQ(found.decoded, golden.decoded) << shown;
    EXPECT_EQ(found.skipped, golden.skipped) << shown;
    EXPECT_TRUE(Same(found.facts, golden.facts)) << shown << found.facts << "\n" << golden.facts;
  } else {
    ++counts->refused;
    const std::string message(folder.status().message());
    bool named = changes.empty();
    for (const Json* change : changes) named |= Names(message, *change);
    EXPECT_TRUE(named && absl::StrContains(message, "folder")) << shown << message;
  }
}

TEST(TokenizerMutationTest, EachKeyIsComputedOrRefusedByName) {
  for (const auto& [name, family] : Golden()["families"].items()) {
    SCOPED_TRACE(name);
    const Json files = FilesOf(family);
    const bool generates = family["generates"].get<bool>();
    Counts counts;
    Check(files, generates, family["baseline"].get<int>(), {}, &counts);
    EXPECT_EQ(counts.equal, 1);
    const auto change_at = [](const Json& place) -> const Json& {
      return Golden()["changes"][place.get<size_t>()];
    };
    for (const Json& entry : family["changes"]) {
      const Json& change = change_at(entry[0]);
      Json changed = files;
      Change(change, &changed);
      Check(changed, generates, entry[1].get<int>(), {&change}, &counts);
    }
    for (const Json& pair : family["pairs"]) {
      Json changed = files;
      const Json& first = change_at(family["changes"][pair[0].get<size_t>()][0]);
      const Json& second = change_at(family["changes"][pair[1].get<size_t>()][0]);
      Change(first, &changed);
      Change(second, &changed);
      Check(changed, generates, pair[2].get<int>(), {&first, &second}, &counts);
    }
    // Most of it is computed, not refused.
    EXPECT_GT(counts.equal, 2 * counts.refused) << counts.equal << ", " << counts.refused;
  }
}

// The declarations are those of the reference, no more and no fewer.
TEST(TokenizerMutationTest, DeclaredKeysAreTheReferences) {
  std::set<std::string> tables;
  for (const settings::Table* table : AllTables()) {
    const std::string name = absl::StrCat(table->file, " ", table->kind);
    tables.insert(name);
    ASSERT_TRUE(Golden()["keys"].contains(name)) << name;
    std::set<std::string> declared;
    for (const settings::Key* key : table->All()) declared.emplace(key->name);
    const auto known = Golden()["keys"][name].get<std::set<std::string>>();
    EXPECT_EQ(declared, known) << name;
  }
  for (const auto& [name, keys] : Golden()["keys"].items()) {
    EXPECT_TRUE(tables.contains(name)) << name;
  }
}

}  // namespace
}  // namespace terminus::tokenizer
