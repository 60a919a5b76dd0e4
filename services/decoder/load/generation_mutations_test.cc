// Replays tests/golden/settings/generation_mutations.json: the answers of transformers' generate()
// with each key of generation_config.json changed, through the service, and the distributions that
// it draws from. Each is equal, or the folder is refused by the key's name.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <string>

#include "common/base/temp_folder.h"
#include "models/bundle/decoder.h"
#include "models/checkpoint/fake_checkpoint.h"
#include "models/sampling/candidates.h"
#include "models/settings/generation_config.h"
#include "services/decoder/edge/validate.h"
#include "services/decoder/load/load_model.h"
#include "services/decoder/testing/service_fixture.h"

namespace terminus::services::decoder::load {
namespace {

using models::checkpoint::WriteTestFile;
using nlohmann::json;

constexpr double kTolerance = 2e-5;
constexpr int kFailed = -1;

const json& Golden() {
  static const json golden =
      json::parse(std::ifstream("tests/golden/settings/generation_mutations.json"));
  return golden;
}

const terminus::settings::Table& Table() { return models::settings::kGenerationConfig; }

bool SetsLength(const json& settings) {
  return settings.contains("max_length") || settings.contains("max_new_tokens");
}

// Whether the reference fails in the folder that samples and sets only this.
bool FailsWhereSampled(const std::string& key, const json& value) {
  json settings = Golden()["cases"][1]["set"];
  settings[key] = value;
  for (const json& test : Golden()["cases"]) {
    if (test["set"] == settings) {
      return test["outcomes"][0] == kFailed;
    }
  }
  return false;
}

class GenerationMutations : public decoder::testing::ServiceFixture {
 protected:
  GenerationMutations() {
    EXPECT_TRUE(
        models::checkpoint::WriteFakeWeights(Path("model.safetensors"), Golden()["tensors"]).ok());
    WriteTestFile(Path("tokenizer.json"), Golden()["tokenizer"].dump());
  }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  void Write(const json& test) {
    json config = Golden()["config"];
    std::remove(Path("generation_config.json").c_str());
    if (test["file"] == "config.json") {
      config.update(test["set"]);
    } else {
      WriteTestFile(Path("generation_config.json"), test["set"].dump());
    }
    WriteTestFile(Path("config.json"), config.dump());
  }

  // The same request for each prompt.
  v1::DecoderGenerateRequest Request(const json& test, size_t prompt) const {
    v1::DecoderGenerateRequest request =
        Ask(Golden()["texts"][prompt].get<std::string>(), Golden()["max_tokens"].get<uint32_t>());
    if (SetsLength(test["set"])) {
      request.mutable_request()->clear_sampling();
    }
    return request;
  }

  // The message names one of the keys that the case sets, and the reference fails too or the key is
  // declared to be refused. Values that the reference refuses once it samples are refused in a
  // greedy folder as well: a request may ask for samples.
  void ExpectRefused(const json& test, const absl::Status& status) {
    bool failed = true;
    for (const json& outcome : test["outcomes"]) {
      failed = failed && outcome == kFailed;
    }
    for (const auto& [key, value] : test["set"].items()) {
      const terminus::settings::Key* declared = Table().Find(key);
      const bool refusable = declared != nullptr &&
                             (failed || declared->effect == terminus::settings::Effect::kFixed ||
                              FailsWhereSampled(key, value));
      if (refusable && status.message().find(key) != std::string::npos) {
        return;
      }
    }
    ADD_FAILURE() << test.dump() << " refused: " << status;
  }

  void ExpectAnswers(const json& test, const std::shared_ptr<edge::ServedBundle>& bundle) {
    Serve(bundle, {});
    for (size_t i = 0; i < test["outcomes"].size(); ++i) {
      const int expected = test["outcomes"][i].get<int>();
      const decoder::testing::Answer answer = Generate(Request(test, i));
      if (expected == kFailed) {
        EXPECT_FALSE(answer.status.ok()) << test.dump() << " prompt " << i;
        continue;
      }
      ASSERT_TRUE(answer.status.ok()) << test.dump() << " prompt " << i << ": " << answer.status;
      EXPECT_EQ(json(answer.tokens.at(0)), Golden()["outcomes"][expected]["ids"])
          << test.dump() << " prompt " << i;
    }
  }

  // Of the first token.
  absl::StatusOr<std::map<int, double>> Distribution(const json& test, size_t prompt,
                                                     models::bundle::DecoderModel& model) {
    const auto wish =
        edge::CheckGenerate(Request(test, prompt), model.generation, 1,
                            {.max_text_bytes = 1 << 20, .vocab_size = model.lm->vocab_size()});
    const std::vector<int32_t> tokens = Golden()["prompts"][prompt];
    std::vector<int32_t> positions(tokens.size());
    std::iota(positions.begin(), positions.end(), 0);
    const auto size = static_cast<int32_t>(tokens.size());
    const std::vector<int32_t> query = {0, size};
    const std::vector<int32_t> blocks = {0};
    const std::vector<int32_t> indptr = {0, 1};
    const std::vector<int32_t> last_len = {size};
    const std::vector<int32_t> wanted = {size - 1};
    const auto logits =
        model.lm->Forward({.token_ids = tokens,
                           .positions = positions,
                           .query_indptr = query,
                           .kv = {.indptr = indptr, .indices = blocks, .last_page_len = last_len},
                           .logits_tokens = wanted});
    EXPECT_TRUE(logits.ok()) << logits.status();
    std::vector<float> row(logits->values.begin(), logits->values.end());
    const int longest = wish->max_tokens > 0 ? size + wish->max_tokens : wish->max_length;
    models::sampling::ProcessLogits(
        model.generation.rules, wish->sampling,
        {.tokens = tokens, .length = size, .prompt_length = size, .max_length = longest},
        absl::MakeSpan(row));
    if (longest > 0 && longest <= size) {
      return absl::InvalidArgumentError("the prompt is too long");
    }
    if (absl::Status status = models::sampling::CheckChoosable(row, /*draw=*/true); !status.ok()) {
      return status;
    }
    const models::sampling::Candidates candidates =
        models::sampling::FindCandidates(row,
                                         {.temperature = wish->sampling.temperature,
                                          .top_k = wish->sampling.top_k,
                                          .top_p = wish->sampling.top_p,
                                          .min_p = wish->sampling.min_p},
                                         model.generation.rules);
    const auto total = static_cast<double>(models::sampling::Total(candidates));
    std::map<int, double> probabilities;
    for (size_t i = 0; i < candidates.tokens.size(); ++i) {
      if (candidates.weights[i] > 0) {
        probabilities[candidates.tokens[i]] = static_cast<double>(candidates.weights[i]) / total;
      }
    }
    return probabilities;
  }

  void ExpectDistributions(const json& test) {
    auto model = models::bundle::LoadDecoder(*models::bundle::ReadManifest(folder_.path()),
                                             {.device = "cpu", .threads = 1, .kv_blocks = 4});
    ASSERT_TRUE(model.ok()) << model.status();
    for (size_t i = 0; i < test["outcomes"].size(); ++i) {
      const int expected = test["outcomes"][i].get<int>();
      const auto made = Distribution(test, i, *model);
      if (expected == kFailed) {
        EXPECT_FALSE(made.ok()) << test.dump() << " prompt " << i;
        continue;
      }
      ASSERT_TRUE(made.ok()) << test.dump() << " prompt " << i << ": " << made.status();
      const json& golden = Golden()["outcomes"][expected]["probs"];
      EXPECT_EQ(made->size(), golden.size()) << test.dump() << " prompt " << i;
      for (const json& pair : golden) {
        const auto found = made->find(pair[0].get<int>());
        ASSERT_NE(found, made->end()) << test.dump() << " prompt " << i << " token " << pair[0];
        EXPECT_NEAR(found->second, pair[1].get<double>(), kTolerance)
            << test.dump() << " prompt " << i << " token " << pair[0];
      }
    }
  }

  base::TempFolder folder_;
};

TEST_F(GenerationMutations, AnswersAreTheReferencesOrRefusedByName) {
  metrics::Registry registry("mutations");
  ModelMetrics model_metrics(registry);
  config::DecoderConfig options;
  options.device = "cpu";
  options.threads = 1;
  options.kv_bytes = 1 << 20;
  int refused = 0;
  for (const json& test : Golden()["cases"]) {
    Write(test);
    const auto bundle = LoadBundle(folder_.path(), options, model_metrics);
    if (!bundle.ok()) {
      ExpectRefused(test, bundle.status());
      ++refused;
    } else if (test["set"].value("do_sample", false)) {
      ExpectDistributions(test);
    } else {
      ExpectAnswers(test, *bundle);
    }
    TearDown();
  }
  RecordProperty("refused", refused);
}

// So that no row can be left out of the table, and none stand in it that the reference does not
// know.
TEST(GenerationTable, HasTheKeysOfTheReference) {
  std::set<std::string> declared;
  for (const terminus::settings::Key* key : Table().All()) {
    declared.insert(std::string(key->name));
  }
  EXPECT_EQ(json(declared), json(Golden()["keys"].get<std::set<std::string>>()));
}

// So that no key is declared as used whose cases test nothing.
TEST(GenerationTable, UsedKeysHaveAnEffectInTheGolden) {
  const json& cases = Golden()["cases"];
  std::set<std::string> seen;
  for (const json& test : cases) {
    json changed = test["set"];
    const json& base = changed.value("do_sample", false) ? cases[1] : cases[0];
    changed.erase("do_sample");
    if (changed["eos_token_id"] == cases[0]["set"]["eos_token_id"]) {
      changed.erase("eos_token_id");
    }
    if (changed.size() == 1 && test["outcomes"] != base["outcomes"]) {
      seen.insert(changed.begin().key());
    }
  }
  EXPECT_NE(cases[0]["outcomes"], cases[1]["outcomes"]);
  seen.insert("do_sample");
  // Its effect shows only beside others.
  seen.insert("remove_invalid_values");
  for (const terminus::settings::Key* key : Table().All()) {
    if (key->effect == terminus::settings::Effect::kUsed) {
      EXPECT_EQ(seen.count(std::string(key->name)), 1u) << key->name;
    }
  }
}

}  // namespace
}  // namespace terminus::services::decoder::load
