#include "tools/verify/inspect_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/settings/collector.h"
#include "models/bundle/bundle.h"
#include "models/bundle/decoder.h"
#include "tools/verify/contradictions.h"

namespace terminus::tools::verify {
namespace {

namespace bundle = models::bundle;
using nlohmann::json;

// As wide as the names of facts are.
constexpr int kNameWidth = 24;

void Check(const char* modality, const absl::Status& status, Inspection* inspection) {
  inspection->models.push_back(
      {.modality = modality, .device = "", .status = status, .report = {}});
}

void CheckModels(const bundle::BundleManifest& manifest, Inspection* inspection) {
  const bundle::DeviceOptions check{.check_only = true};
  if (manifest.text) {
    Check("text", bundle::LoadText(manifest, check).status(), inspection);
  }
  if (manifest.vision) {
    Check("image", bundle::LoadVision(manifest, check).status(), inspection);
  }
  if (manifest.video) {
    Check("video", bundle::LoadVideo(manifest, check).status(), inspection);
  }
  if (manifest.decoder) {
    Check("language model", bundle::LoadDecoder(manifest, {.check_only = true}).status(),
          inspection);
  }
}

std::string Mebibytes(int64_t bytes) {
  return absl::StrFormat("%.1f MiB", static_cast<double>(bytes) / (1 << 20));
}

void AppendFact(absl::string_view name, const std::string& value, std::string* text) {
  if (!value.empty()) {
    absl::StrAppendFormat(text, "  %-*s%s\n", kNameWidth, name, value);
  }
}

void AppendFacts(const ModelFacts& model, std::string* text) {
  absl::StrAppend(text, model.folder, "\n");
  AppendFact("family", model.family, text);
  AppendFact("kind", model.kind, text);
  AppendFact("services", absl::StrJoin(model.services, ", "), text);
  for (const auto& [name, value] : model.sizes) AppendFact(name, value, text);
  AppendFact("parameters", absl::StrCat(model.parameters), text);
  for (const auto& [dtype, share] : model.dtypes) {
    AppendFact(
        absl::StrCat("stored ", dtype),
        absl::StrCat(share.parameters, " in ", share.tensors, " tensors, ", Mebibytes(share.bytes)),
        text);
  }
  AppendFact("memory as float32", Mebibytes(model.parameters * 4), text);
  AppendFact("memory as bfloat16", Mebibytes(model.parameters * 2), text);
  AppendFact("memory as int8", Mebibytes(model.parameters), text);
  AppendFact("tokenizer", model.tokenizer, text);
  AppendFact("preprocessor", model.preprocessor, text);
}

void AppendLines(absl::string_view title, const std::vector<std::string>& lines,
                 std::string* text) {
  if (lines.empty()) return;
  absl::StrAppend(text, title, "\n");
  for (const std::string& line : lines) {
    absl::StrAppend(text, "  ", absl::StrReplaceAll(line, {{"\n", "\n  "}}), "\n");
  }
}

json FactsJson(const ModelFacts& model) {
  json sizes = json::object();
  for (const auto& [name, value] : model.sizes) sizes[name] = json::parse(value);
  json stored = json::object();
  for (const auto& [dtype, share] : model.dtypes) {
    stored[dtype] = {
        {"tensors", share.tensors}, {"parameters", share.parameters}, {"bytes", share.bytes}};
  }
  return {{"folder", model.folder},
          {"family", model.family},
          {"kind", model.kind},
          {"services", model.services},
          {"sizes", std::move(sizes)},
          {"parameters", model.parameters},
          {"stored", std::move(stored)},
          {"memory_bytes",
           {{"float32", model.parameters * 4},
            {"bfloat16", model.parameters * 2},
            {"int8", model.parameters}}},
          {"tokenizer", model.tokenizer},
          {"preprocessor", model.preprocessor}};
}

// The sentence of each load that would fail.
std::vector<std::string> Faults(const Inspection& inspection) {
  std::vector<std::string> faults;
  if (!inspection.status.ok()) {
    faults.emplace_back(inspection.status.message());
  }
  for (const Checked& model : inspection.models) {
    if (!model.status.ok()) {
      faults.push_back(absl::StrCat(model.modality, ": ", model.status.message()));
    }
  }
  return faults;
}

}  // namespace

Inspection InspectFolder(const std::string& folder) {
  // Those of a load are told; the facts' and comparisons' readers repeat them.
  const settings::Collector repeated;
  Inspection inspection{.folder = folder, .facts = ReadFacts(folder)};
  {
    const settings::Collector collector;
    const auto manifest = bundle::ReadManifest(folder, /*identify=*/false);
    inspection.status = manifest.status();
    if (manifest.ok()) {
      CheckModels(*manifest, &inspection);
    }
    inspection.warnings = collector.warnings();
  }
  std::set<std::string> seen(inspection.warnings.begin(), inspection.warnings.end());
  for (const ModelFacts& model : inspection.facts) {
    for (std::string& contradiction : FindContradictions(model.folder)) {
      if (seen.insert(contradiction).second) {
        inspection.contradictions.push_back(std::move(contradiction));
      }
    }
  }
  return inspection;
}

bool AllGood(const Inspection& inspection) {
  return inspection.status.ok() && AllGood(inspection.models);
}

std::vector<std::string> NotChecked() {
  return {"golden vectors, or that a batch gives what its parts give alone: --compute does",
          "whether the device is there and has the memory: --compute does",
          "the bytes of the weights, which the space's id is a hash of"};
}

std::string FormatText(const Inspection& inspection, const std::vector<Checked>* computed) {
  std::string text;
  for (const ModelFacts& model : inspection.facts) {
    AppendFacts(model, &text);
  }
  AppendLines("faults", Faults(inspection), &text);
  AppendLines("warnings", inspection.warnings, &text);
  AppendLines("contradictions", inspection.contradictions, &text);
  if (computed != nullptr) {
    absl::StrAppend(&text, FormatText(*computed));
  } else if (AllGood(inspection)) {
    AppendLines("not checked", NotChecked(), &text);
  }
  absl::StrAppend(&text, AllGood(inspection) ? "can be loaded\n" : "cannot be loaded as it is\n");
  return text;
}

std::string FormatJson(const Inspection& inspection, const std::vector<Checked>* computed) {
  json models = json::array();
  for (const ModelFacts& model : inspection.facts) {
    models.push_back(FactsJson(model));
  }
  json checks = json::array();
  for (const Checked& model : inspection.models) {
    json check = {{"modality", model.modality}, {"good", model.status.ok()}};
    if (!model.status.ok()) check["error"] = std::string(model.status.message());
    checks.push_back(std::move(check));
  }
  json out = {{"folder", inspection.folder},
              {"good", AllGood(inspection) && (computed == nullptr || AllGood(*computed))},
              {"models", std::move(models)},
              {"checks", std::move(checks)},
              {"warnings", inspection.warnings},
              {"contradictions", inspection.contradictions}};
  if (!inspection.status.ok()) out["error"] = std::string(inspection.status.message());
  if (computed == nullptr) {
    out["not_checked"] = NotChecked();
  } else {
    out["computed"] = ModelsJson(*computed);
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace terminus::tools::verify
