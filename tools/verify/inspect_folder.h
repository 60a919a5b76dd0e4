#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "tools/verify/facts.h"
#include "tools/verify/verify_folder.h"

namespace terminus::tools::verify {

// What there is to say about a folder without computing with its models.
struct Inspection {
  std::string folder;
  std::vector<ModelFacts> facts;
  // Why nothing of the folder can be served; OK where it can.
  absl::Status status;
  // Each model with the status of its load; the device is empty.
  std::vector<Checked> models;
  // Warnings of these loads.
  std::vector<std::string> warnings;
  std::vector<std::string> contradictions;
};

// Makes the very checks of a load of each model of a bundle or a model's folder, without reading
// weights: the statuses are those of the loads, word for word.
Inspection InspectFolder(const std::string& folder);

bool AllGood(const Inspection& inspection);

// What only a load on its device shows, a line each.
std::vector<std::string> NotChecked();

// For people. `computed` is VerifyFolder's answer where it was asked for, else null.
std::string FormatText(const Inspection& inspection, const std::vector<Checked>* computed);

// One line of JSON.
std::string FormatJson(const Inspection& inspection, const std::vector<Checked>* computed);

}  // namespace terminus::tools::verify
