#include "common/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

namespace terminus::base {
namespace {

void SetLogger(const std::string& process, spdlog::level::level_enum level) {
  auto logger =
      std::make_shared<spdlog::logger>(process, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %n %v");
  logger->set_level(level);
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

// spdlog's own default logger writes to stdout, which is data in many of our programs.
void LeaveStdout() {
  static const bool left = [] {
    SetLogger("terminus", spdlog::level::info);
    return true;
  }();
  static_cast<void>(left);
}

void Log(spdlog::level::level_enum level, absl::string_view message) {
  LeaveStdout();
  spdlog::log(level, fmt::string_view(message.data(), message.size()));
}

}  // namespace

void InitLog(const std::string& process, const std::string& level) {
  LeaveStdout();
  SetLogger(process, spdlog::level::from_str(level));
}

void LogInfo(absl::string_view message) { Log(spdlog::level::info, message); }

void LogWarning(absl::string_view message) { Log(spdlog::level::warn, message); }

void LogError(absl::string_view message) { Log(spdlog::level::err, message); }

}  // namespace terminus::base
