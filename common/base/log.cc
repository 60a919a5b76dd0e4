#include "common/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace terminus::base {

void InitLog(const std::string& process, const std::string& level) {
  auto logger = spdlog::stderr_logger_mt(process);
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %L %n %v");
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void LogInfo(absl::string_view message) {
  spdlog::info(fmt::string_view(message.data(), message.size()));
}

void LogWarning(absl::string_view message) {
  spdlog::warn(fmt::string_view(message.data(), message.size()));
}

void LogError(absl::string_view message) {
  spdlog::error(fmt::string_view(message.data(), message.size()));
}

}  // namespace terminus::base
