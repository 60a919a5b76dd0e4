// Every key of a folder's files, changed: the model gives what the reference gives, or the folder
// is refused by a message that names the key or the tensor at fault. Goldens:
// tests/golden/settings.

#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/settings/collector.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/settings/declared.h"
#include "tests/settings/golden_folder.h"
#include "tests/settings/outcome.h"

namespace terminus::settings_test {
namespace {

using nlohmann::json;

// Whether the message says what is at fault: the key, one inside its value, or a tensor.
bool NamesFault(const std::string& message, const Case& changed) {
  for (const Change& change : changed.changes) {
    if (absl::StrContains(message, change.key)) {
      return true;
    }
    if (change.value.is_object()) {
      for (const auto& [key, value] : change.value.items()) {
        if (absl::StrContains(message, key)) return true;
      }
    }
  }
  return absl::StrContains(message, ".weight") || absl::StrContains(message, ".bias");
}

// Whether a text is cut where sentence-transformers lets one limit replace a lower one. In Terminus
// the least limit counts: a request that does not ask for a cut is refused, and told which it is.
bool IsCutByLeastLimit(const Case& changed, const Outcome& outcome) {
  constexpr absl::string_view kPositions = "max_position_embeddings";
  constexpr absl::string_view kLimits[] = {"max_length", "max_seq_length", "model_max_length"};
  return std::any_of(changed.changes.begin(), changed.changes.end(), [&](const Change& change) {
    const bool raised =
        std::find(std::begin(kLimits), std::end(kLimits), change.key) != std::end(kLimits) &&
        change.value.is_number() && change.value > outcome.max_tokens;
    return (raised && !outcome.cut_by.empty()) ||
           (change.key == kPositions && absl::StrContains(outcome.cut_by, kPositions));
  });
}

// What is wrong with a case's result; empty for nothing.
std::string Fault(const json& golden, const Case& changed, const absl::StatusOr<Outcome>& outcome) {
  if (changed.outcome < 0) {
    return "";  // The reference has no answer, so none is wrong.
  }
  if (outcome.ok()) {
    const std::string difference = Difference(golden["outcomes"][changed.outcome], *outcome);
    return IsCutByLeastLimit(changed, *outcome) ? "" : difference;
  }
  const std::string message(outcome.status().message());
  return NamesFault(message, changed) ? "" : "refused without naming the key: " + message;
}

class ReplayTest : public testing::TestWithParam<const char*> {
 protected:
  ReplayTest() : golden_(ReadGolden(GetParam())), folder_(golden_) {}

  void Replay(const std::vector<Case>& cases) {
    size_t equal = 0;
    size_t refused = 0;
    for (const Case& changed : cases) {
      folder_.Apply(changed.changes);
      const auto outcome = RunFolder(golden_, folder_.path());
      EXPECT_EQ(Fault(golden_, changed, outcome), "") << changed.Name();
      equal += changed.outcome >= 0 && outcome.ok() ? 1 : 0;
      refused += changed.outcome >= 0 && !outcome.ok() ? 1 : 0;
    }
    RecordProperty("equal", static_cast<int>(equal));
    RecordProperty("refused", static_cast<int>(refused));
  }

  const json golden_;
  GoldenFolder folder_;
};

TEST_P(ReplayTest, AsItIs) {
  const auto outcome = RunFolder(golden_, folder_.path());
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(Difference(golden_["outcomes"][0], *outcome), "");
}

TEST_P(ReplayTest, EveryKeyAndAllThatAreUsedAreRead) {
  settings::Collector collector;
  Replay(SingleChanges(golden_));
  for (const HeldTable& held : HeldTables(GetParam())) {
    ASSERT_NE(held.table, nullptr) << held.name;
    if (FirstGoldenOf(*held.table) == GetParam()) {
      EXPECT_THAT(UnreadKeys(*held.table, collector.reads()), testing::IsEmpty()) << held.name;
    }
  }
}

TEST_P(ReplayTest, PairsOfKeys) { Replay(Pairs(golden_)); }

INSTANTIATE_TEST_SUITE_P(Config, ReplayTest,
                         testing::Values("config_bert", "config_bert_sentence", "config_clip",
                                         "config_clip_text", "config_clip_vision", "config_dinov2",
                                         "config_efficientnet_lite",
                                         "config_efficientnet_lite_flat", "config_llama",
                                         "config_mistral", "config_qwen2", "config_qwen3",
                                         "config_qwen3_lm", "config_resnet", "config_siglip",
                                         "config_siglip_text", "config_siglip_vision",
                                         "config_smollm3", "config_vit"),
                         [](const auto& info) { return std::string(info.param); });

INSTANTIATE_TEST_SUITE_P(SentenceTransformers, ReplayTest,
                         testing::Values("index", "sentence_bert", "sentence_qwen3"),
                         [](const auto& info) { return std::string(info.param); });

TEST(DeclarationsTest, EveryKeyThatTheReferenceKnowsIsDeclared) {
  for (const HeldTable& held : AllHeldTables()) {
    ASSERT_NE(held.table, nullptr) << held.golden << ": " << held.name;
    EXPECT_THAT(Undeclared(Rows(*held.table), held.known), testing::IsEmpty())
        << held.golden << ": " << held.name;
  }
}

// Takes away one row after the other. Where a base has a row of the same name, that one counts
// then, which the test of docs/models.md sees: the page has all rows.
TEST(DeclarationsTest, DeletingAnyRowIsSeen) {
  std::map<const settings::Key*, bool> seen;
  for (const HeldTable& held : AllHeldTables()) {
    ASSERT_NE(held.table, nullptr) << held.golden << ": " << held.name;
    const std::vector<const settings::Key*> rows = Rows(*held.table);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::vector<const settings::Key*> rest = rows;
      rest.erase(rest.begin() + static_cast<int64_t>(i));
      const bool counted = held.table->Find(rows[i]->name) == rows[i];
      const bool replaced = std::any_of(rest.begin(), rest.end(), [&](const settings::Key* row) {
        return row->name == rows[i]->name;
      });
      seen[rows[i]] |= !Undeclared(rest, held.known).empty() ||
                       (counted && replaced && held.known.contains(std::string(rows[i]->name)));
    }
  }
  for (const auto& [row, was_seen] : seen) {
    EXPECT_TRUE(was_seen) << row->name << " (" << row->why << ") is a key of no reference";
  }
}

// A table that no golden holds to the reference would be free to drift.
TEST(DeclarationsTest, EveryTableHasAGolden) {
  EXPECT_THAT(TablesWithoutGolden(), testing::IsEmpty());
}

}  // namespace
}  // namespace terminus::settings_test
