#include "models/bundle/golden.h"

#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/settings/json_file.h"

namespace terminus::models::bundle {
namespace {

using nlohmann::json;

absl::StatusOr<std::vector<GoldenCase>> ReadCases(const settings::JsonFile& file,
                                                  const std::string& section,
                                                  const std::string& input_key, int dimension) {
  std::vector<GoldenCase> cases;
  for (const json& entry : file.json().value(section, json::array())) {
    const std::string place = absl::StrCat(file.path(), ": ", section, "[", cases.size(), "]");
    const auto input = entry.is_object() ? entry.find(input_key) : entry.end();
    const auto vector = entry.is_object() ? entry.find("vector") : entry.end();
    if (input == entry.end() || !input->is_string() || vector == entry.end() ||
        !vector->is_array()) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, ": expected \"", input_key, "\" and \"vector\""));
    }
    GoldenCase golden{.input = input->get<std::string>()};
    for (const json& element : *vector) {
      golden.vector.push_back(element.is_number() ? element.get<float>() : std::nanf(""));
    }
    if (golden.vector.size() != static_cast<size_t>(dimension)) {
      return absl::InvalidArgumentError(absl::StrCat(place, ".vector has ", golden.vector.size(),
                                                     " elements, the space has ", dimension));
    }
    cases.push_back(std::move(golden));
  }
  return cases;
}

std::vector<float> Normalized(const executor::Embeddings& embeddings, size_t row) {
  const auto begin = embeddings.values.begin() + static_cast<int64_t>(row) * embeddings.dimension;
  std::vector<float> vector(begin, begin + embeddings.dimension);
  const double length =
      std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
  for (float& element : vector) {
    element = static_cast<float>(element / length);
  }
  return vector;
}

double LargestDifference(const std::vector<float>& expected, const std::vector<float>& vector) {
  double largest = 0;
  for (size_t i = 0; i < vector.size(); ++i) {
    const double difference = std::abs(static_cast<double>(vector[i]) - expected[i]);
    // NaN, of an input of zeros or worse, is a difference too.
    largest = difference <= largest ? largest : difference;
  }
  return largest;
}

absl::Status Check(const GoldenCase& golden, double largest, double tolerance, const char* how) {
  if (largest <= tolerance) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("golden \"", golden.input, "\" ", how, " is off by ",
                                          largest, ", tolerance ", tolerance));
}

}  // namespace

absl::StatusOr<Goldens> ReadGoldens(const std::string& path, int dimension) {
  TERMINUS_ASSIGN_OR_RETURN(auto file, settings::JsonFile::Read(path));
  Goldens goldens;
  goldens.tolerance = file.NumberOr("tolerance", goldens.tolerance);
  if (!file.json().is_object() || !(goldens.tolerance > 0)) {
    file.Fault("tolerance", "expected a number above 0");
  }
  TERMINUS_RETURN_IF_ERROR(file.status());
  TERMINUS_ASSIGN_OR_RETURN(goldens.texts, ReadCases(file, "text", "input", dimension));
  TERMINUS_ASSIGN_OR_RETURN(goldens.images, ReadCases(file, "image", "path", dimension));
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  TERMINUS_ASSIGN_OR_RETURN(goldens.videos, ReadCases(file, "video", "path", dimension));
  for (std::vector<GoldenCase>* cases : {&goldens.images, &goldens.videos}) {
    for (GoldenCase& golden : *cases) {
      golden.input = folder + golden.input;
    }
  }
  return goldens;
}

absl::StatusOr<Goldens> GoldensOf(const BundleManifest& manifest) {
  if (manifest.golden_path.empty()) {
    return Goldens{};
  }
  return ReadGoldens(manifest.golden_path, manifest.space.dimension);
}

absl::Status CompareGoldens(
    const std::vector<GoldenCase>& cases, double tolerance,
    absl::FunctionRef<absl::StatusOr<executor::Embeddings>(absl::Span<const size_t>)> encode,
    VerifyReport* report) {
  VerifyReport unread;
  if (report == nullptr) report = &unread;
  report->tolerance = tolerance;
  std::vector<size_t> all(cases.size());
  std::iota(all.begin(), all.end(), 0);
  TERMINUS_ASSIGN_OR_RETURN(const executor::Embeddings together, encode(all));
  for (const size_t i : all) {
    TERMINUS_ASSIGN_OR_RETURN(const executor::Embeddings alone, encode({i}));
    const std::vector<float> vector = Normalized(alone, 0);
    const std::vector<float>& expected = cases[i].vector.empty() ? vector : cases[i].vector;
    const Comparison& found = report->comparisons.emplace_back(
        Comparison{.input = cases[i].input,
                   .golden = !cases[i].vector.empty(),
                   .alone = LargestDifference(expected, vector),
                   .batched = LargestDifference(expected, Normalized(together, i))});
    TERMINUS_RETURN_IF_ERROR(Check(cases[i], found.alone, tolerance, "alone"));
    TERMINUS_RETURN_IF_ERROR(Check(cases[i], found.batched, tolerance, "in a batch"));
  }
  return absl::OkStatus();
}

}  // namespace terminus::models::bundle
