#include "common/metrics/process.h"

#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace terminus::metrics {
namespace {

using prometheus::MetricType;

prometheus::MetricFamily Family(const char* name, const char* help, MetricType type, double value) {
  prometheus::MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  prometheus::ClientMetric metric;
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  family.metric.push_back(metric);
  return family;
}

// Files under /proc tell no size, so they are read to their end.
std::string ReadProc(const char* path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

// The fields of /proc/self/stat after the command's name, which may itself hold spaces.
std::vector<std::string> StatFields() {
  const std::string stat = ReadProc("/proc/self/stat");
  const size_t end_of_name = stat.rfind(") ");
  if (end_of_name == std::string::npos) {
    return {};
  }
  return absl::StrSplit(stat.substr(end_of_name + 2), ' ');
}

// By the number that proc(5) gives the field; 0 when it is not there.
double Field(const std::vector<std::string>& fields, size_t number) {
  constexpr size_t kFirst = 3;
  double value = 0;
  if (number - kFirst >= fields.size() || !absl::SimpleAtod(fields[number - kFirst], &value)) {
    return 0;
  }
  return value;
}

double BootTimeSeconds() {
  const std::string stat = ReadProc("/proc/stat");
  const size_t at = stat.find("btime ");
  return at == std::string::npos ? 0 : std::strtod(stat.c_str() + at + 6, nullptr);
}

double CountFiles(const char* folder) {
  std::error_code error;
  double count = 0;
  for (auto it = std::filesystem::directory_iterator(folder, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace

std::vector<prometheus::MetricFamily> ProcessCollector::Collect() const {
  static const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  static const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
  const std::vector<std::string> stat = StatFields();
  constexpr size_t kUserTime = 14, kSystemTime = 15, kThreads = 20, kStartTime = 22, kRss = 24;
  return {
      Family("process_cpu_seconds_total", "User and system CPU time spent.", MetricType::Counter,
             (Field(stat, kUserTime) + Field(stat, kSystemTime)) / ticks),
      Family("process_resident_memory_bytes", "Resident memory size.", MetricType::Gauge,
             Field(stat, kRss) * page),
      Family("process_open_fds", "Open file descriptors.", MetricType::Gauge,
             CountFiles("/proc/self/fd")),
      Family("process_threads", "Threads of the process.", MetricType::Gauge,
             Field(stat, kThreads)),
      Family("process_start_time_seconds", "Start time since the Unix epoch.", MetricType::Gauge,
             BootTimeSeconds() + Field(stat, kStartTime) / ticks),
  };
}

}  // namespace terminus::metrics
