#include "tools/verify/verify_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "models/bundle/bundle.h"
#include "models/bundle/decoder.h"

namespace terminus::tools::verify {
namespace {

using models::bundle::Comparison;
using models::bundle::VerifyReport;

// Loads, notes the device, and checks.
template <class Load, class Verify>
Checked Check(const char* modality, const Load& load, const Verify& verify) {
  Checked checked{.modality = modality, .device = "", .status = absl::OkStatus(), .report = {}};
  auto model = load();
  checked.status = model.status();
  if (!model.ok()) return checked;
  checked.device = model->device;
  checked.status = verify(*model, &checked.report);
  return checked;
}

double Largest(const VerifyReport& report) {
  double largest = 0;
  for (const Comparison& found : report.comparisons) {
    // NaN stays.
    for (const double value : {found.alone, found.batched}) {
      largest = value <= largest ? largest : value;
    }
  }
  return largest;
}

// The beginning of an input, on one line.
std::string Shown(const std::string& input) {
  constexpr size_t kMaxBytes = 70;
  std::string shown = input.substr(0, kMaxBytes);
  if (input.size() > kMaxBytes) {
    // Whole characters: back to before the one that was cut.
    while (!shown.empty() && (input[shown.size()] & 0xc0) == 0x80) shown.pop_back();
    shown += "…";
  }
  return absl::StrReplaceAll(shown, {{"\n", " "}});
}

}  // namespace

absl::StatusOr<std::vector<Checked>> VerifyFolder(const std::string& folder,
                                                  const Options& options) {
  namespace bundle = models::bundle;
  TERMINUS_ASSIGN_OR_RETURN(const bundle::BundleManifest manifest, bundle::ReadManifest(folder));
  const bundle::DeviceOptions device{.device = options.device, .threads = options.threads};
  std::vector<Checked> checked;
  if (manifest.text) {
    checked.push_back(Check(
        "text", [&] { return bundle::LoadText(manifest, device); },
        [&](const auto& model, VerifyReport* report) {
          return bundle::VerifyText(manifest, model, report);
        }));
  }
  if (manifest.vision) {
    checked.push_back(Check(
        "image", [&] { return bundle::LoadVision(manifest, device); },
        [&](const auto& model, VerifyReport* report) {
          return bundle::VerifyVision(manifest, model, report);
        }));
  }
  if (manifest.video) {
    checked.push_back(Check(
        "video", [&] { return bundle::LoadVideo(manifest, device); },
        [&](const auto& model, VerifyReport* report) {
          return bundle::VerifyVideo(manifest, model, report);
        }));
  }
  if (manifest.decoder) {
    checked.push_back(Check(
        "language model",
        [&] {
          return bundle::LoadDecoder(manifest,
                                     {.device = options.device, .threads = options.threads});
        },
        [&](auto& model, VerifyReport* report) {
          return bundle::VerifyDecoder(manifest, model, report);
        }));
  }
  return checked;
}

std::string FormatText(const std::vector<Checked>& checked) {
  std::string text;
  for (const Checked& model : checked) {
    absl::StrAppendFormat(&text, "%s%s%s\n", model.modality, model.device.empty() ? "" : " on ",
                          model.device);
    for (const Comparison& found : model.report.comparisons) {
      absl::StrAppendFormat(&text, "  %-8s  alone %.2e  in a batch %.2e  %s\n",
                            found.golden ? "golden" : "stand-in", found.alone, found.batched,
                            Shown(found.input));
    }
    if (model.status.ok()) {
      absl::StrAppendFormat(&text, "  good: largest difference %.2e, tolerance %.2e\n",
                            Largest(model.report), model.report.tolerance);
    } else {
      absl::StrAppendFormat(&text, "  bad: %s\n", std::string(model.status.message()));
    }
  }
  return text;
}

nlohmann::json ModelsJson(const std::vector<Checked>& checked) {
  nlohmann::json models = nlohmann::json::array();
  for (const Checked& model : checked) {
    nlohmann::json comparisons = nlohmann::json::array();
    for (const Comparison& found : model.report.comparisons) {
      comparisons.push_back({{"input", found.input},
                             {"golden", found.golden},
                             {"alone", found.alone},
                             {"in_batch", found.batched}});
    }
    nlohmann::json entry = {{"modality", model.modality},
                            {"good", model.status.ok()},
                            {"comparisons", std::move(comparisons)},
                            {"largest_difference", Largest(model.report)},
                            {"tolerance", model.report.tolerance}};
    if (!model.device.empty()) entry["device"] = model.device;
    if (!model.status.ok()) entry["error"] = std::string(model.status.message());
    models.push_back(std::move(entry));
  }
  return models;
}

std::string FormatJson(const std::string& folder, const std::vector<Checked>& checked) {
  const nlohmann::json json = {
      {"folder", folder}, {"good", AllGood(checked)}, {"models", ModelsJson(checked)}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

bool AllGood(const std::vector<Checked>& checked) {
  return std::all_of(checked.begin(), checked.end(),
                     [](const Checked& model) { return model.status.ok(); });
}

}  // namespace terminus::tools::verify
