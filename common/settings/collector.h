#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/settings/table.h"

namespace terminus::settings {

// A warning about a model folder, such as "FOLDER/config.json: unknown keys: a, b". The innermost
// collector of this thread takes it; without one it is logged.
void Warn(const std::string& message);

// Notes that a reader asked for a declared key. Only a collector keeps it.
void NoteRead(const Table& table, absl::string_view key);

// Takes the warnings and the reads of this thread from its construction to its destruction. Not to
// be moved to another thread; collectors nest.
class Collector {
 public:
  Collector();
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // In order of arrival, each once.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // Table and key of each read.
  using Reads = std::set<std::pair<const Table*, std::string>>;
  const Reads& reads() const { return reads_; }

 private:
  friend void Warn(const std::string& message);
  friend void NoteRead(const Table& table, absl::string_view key);

  Collector* const outer_;
  std::vector<std::string> warnings_;
  Reads reads_;
};

}  // namespace terminus::settings
