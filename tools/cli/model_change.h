#pragma once

#include <google/protobuf/repeated_field.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "terminus/v1/cluster.pb.h"
#include "tools/cli/command.h"

// `terminus model load` and `unload`: the model of a running cluster is changed.
namespace terminus::tools::cli {

// Adds both to the `model` command; `app` tells whether --timeout was given.
void AddModelChangeCommands(CLI::App& app, CLI::App& model, Globals& globals, Command& command);

// "loaded", "not in the bundle", "not reached", "unloaded".
const char* LoadOutcomeName(v1::LoadOutcome outcome);

using ReplicaLoads = google::protobuf::RepeatedPtrField<v1::ReplicaLoad>;

// For people, and as JSON.
std::string FormatLoaded(const v1::LoadModelResponse& loaded);
std::string FormatReplicaLoads(const ReplicaLoads& replicas);
nlohmann::json LoadedJson(const v1::LoadModelResponse& loaded);
nlohmann::json ReplicaLoadsJson(const ReplicaLoads& replicas);

}  // namespace terminus::tools::cli
