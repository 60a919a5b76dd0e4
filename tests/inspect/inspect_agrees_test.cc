// That `terminus model inspect` fails exactly when a load does, with the same sentence: over whole
// folders, goldens, the fuzz corpus and broken folders. TERMINUS_BROKEN_FOLDERS sets how many of
// the last, TERMINUS_BROKEN_SEED where they begin.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/temp_folder.h"
#include "common/settings/collector.h"
#include "models/bundle/bundle.h"
#include "models/bundle/decoder.h"
#include "tests/inspect/broken_folder.h"
#include "tests/inspect/whole_folder.h"
#include "tools/verify/inspect_folder.h"

namespace terminus::tests {
namespace {

namespace bundle = models::bundle;

// The folder's status, and that of each model's load on the CPU, as its service loads it.
std::vector<std::string> Load(const std::string& folder) {
  const settings::Collector warnings_dropped;
  const auto manifest = bundle::ReadManifest(folder);
  std::vector<std::string> found = {manifest.status().ToString()};
  if (!manifest.ok()) return found;
  const bundle::DeviceOptions options{.device = "cpu", .threads = 1};
  const auto add = [&](const absl::Status& status) { found.push_back(status.ToString()); };
  if (manifest->text) add(bundle::LoadText(*manifest, options).status());
  if (manifest->vision) add(bundle::LoadVision(*manifest, options).status());
  if (manifest->video) add(bundle::LoadVideo(*manifest, options).status());
  if (manifest->decoder) {
    add(bundle::LoadDecoder(*manifest, {.device = "cpu", .threads = 1}).status());
  }
  return found;
}

std::vector<std::string> Inspect(const std::string& folder) {
  const tools::verify::Inspection inspection = tools::verify::InspectFolder(folder);
  std::vector<std::string> found = {inspection.status.ToString()};
  for (const tools::verify::Checked& model : inspection.models) {
    found.push_back(model.status.ToString());
  }
  return found;
}

// The number of folders that can be served whole.
int ExpectAgreement(const std::string& name, const Files& files) {
  SCOPED_TRACE(name);
  const base::TempFolder folder;
  WriteFiles(files, folder.path());
  const std::vector<std::string> loaded = Load(folder.path());
  EXPECT_EQ(Inspect(folder.path()), loaded);
  return std::all_of(loaded.begin(), loaded.end(),
                     [](const std::string& status) { return status == "OK"; });
}

int Setting(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  int value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

TEST(InspectAgreesTest, OverWholeFolders) {
  for (const WholeFolder& folder : WholeFolders()) {
    EXPECT_EQ(ExpectAgreement(folder.name, folder.files), 1) << folder.name << " is not whole";
  }
}

TEST(InspectAgreesTest, OverGoldens) {
  for (const WholeFolder& folder : GoldenFolders()) {
    ExpectAgreement(folder.name, folder.files);
  }
}

TEST(InspectAgreesTest, OverTheFuzzCorpus) {
  for (const WholeFolder& folder : FuzzFolders()) {
    ExpectAgreement(folder.name, folder.files);
  }
}

TEST(InspectAgreesTest, OverBrokenFolders) {
  const std::vector<WholeFolder> whole = WholeFolders();
  const int count = Setting("TERMINUS_BROKEN_FOLDERS", 200);
  const int seed = Setting("TERMINUS_BROKEN_SEED", 1);
  int good = 0;
  for (int i = 0; i < count; ++i) {
    const BrokenFolder folder = Break(whole, static_cast<uint32_t>(seed + i));
    good += ExpectAgreement(absl::StrCat("seed ", seed + i, ": ", folder.name), folder.files);
  }
  EXPECT_GT(good, 0) << "nothing was harmless";
  EXPECT_LT(good, count / 2) << "hardly anything was broken";
}

}  // namespace
}  // namespace terminus::tests
