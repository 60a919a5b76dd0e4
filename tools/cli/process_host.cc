#include "tools/cli/process_host.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/file.h"
#include "common/base/log.h"

extern char** environ;

namespace terminus::tools::cli {
namespace {

constexpr char kStartMark[] = "--- started by terminus up";

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& value : strings) {
    pointers.push_back(value.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> MergedEnvironment(const std::vector<std::string>& additions) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    merged.emplace_back(*entry);
  }
  for (const std::string& addition : additions) {
    const std::string name = addition.substr(0, addition.find('=') + 1);
    if (std::none_of(merged.begin(), merged.end(),
                     [&](const std::string& entry) { return absl::StartsWith(entry, name); })) {
      merged.push_back(addition);
    }
  }
  return merged;
}

// Between fork and exec: only async-signal-safe calls, as other threads may have held locks.
[[noreturn]] void RunChild(pid_t parent, int log, int null, int error_pipe, char** arguments,
                           char** environment) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) {
    _exit(127);  // The parent died before the request above was in place.
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(null, STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execve(arguments[0], arguments, environment);
  const int error = errno;
  if (write(error_pipe, &error, sizeof(error)) < 0) {
    _exit(126);
  }
  _exit(127);
}

absl::Status SystemError(const std::string& what) { return absl::ErrnoToStatus(errno, what); }

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) {
      close(fd_);
      fd_ = -1;
    }
  }

 private:
  int fd_;
};

}  // namespace

absl::StatusOr<pid_t> RealProcessHost::Start(const ProcessSpec& spec) {
  Fd log(open(spec.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (log.get() < 0) {
    return SystemError(absl::StrCat("cannot open the log ", spec.log_path));
  }
  const std::string mark =
      absl::StrCat(kStartMark, " at ", absl::FormatTime(absl::Now(), absl::LocalTimeZone()), "\n");
  if (write(log.get(), mark.data(), mark.size()) < 0) {
    // A full disk costs the logs, not the service.
    base::LogWarning(absl::StrCat("cannot write the log ", spec.log_path, ": ", strerror(errno)));
  }
  Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  int ends[2];
  if (null.get() < 0 || pipe2(ends, O_CLOEXEC) != 0) {
    return SystemError("cannot open /dev/null or a pipe");
  }
  Fd error_read(ends[0]);
  Fd error_write(ends[1]);

  std::vector<std::string> arguments = spec.arguments;
  std::vector<std::string> environment = MergedEnvironment(spec.environment);
  const std::vector<char*> argument_pointers = Pointers(arguments);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    return SystemError(absl::StrCat("cannot fork for ", spec.name));
  }
  if (pid == 0) {
    RunChild(parent, log.get(), null.get(), error_write.get(),
             const_cast<char**>(argument_pointers.data()),
             const_cast<char**>(environment_pointers.data()));
  }
  error_write.Close();
  // The pipe closes by itself when exec succeeds.
  int error = 0;
  if (read(error_read.get(), &error, sizeof(error)) == sizeof(error)) {
    waitpid(pid, nullptr, 0);
    return absl::ErrnoToStatus(error, absl::StrCat("cannot run ", spec.arguments[0]));
  }
  return pid;
}

void RealProcessHost::Signal(pid_t pid, int signal) { kill(pid, signal); }

std::optional<int> RealProcessHost::Reap(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, WNOHANG) == pid) {
    return status;
  }
  return std::nullopt;
}

std::string DescribeWaitStatus(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = sigabbrev_np(WTERMSIG(status));
    return name != nullptr ? absl::StrCat("killed by SIG", name)
                           : absl::StrCat("killed by signal ", WTERMSIG(status));
  }
  return absl::StrCat("exited with ", WEXITSTATUS(status));
}

absl::Status RotateLog(const std::string& path, int64_t max_bytes) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || info.st_size <= max_bytes) {
    return absl::OkStatus();
  }
  std::error_code error;
  std::filesystem::copy_file(path, path + ".1", std::filesystem::copy_options::overwrite_existing,
                             error);
  // Emptied even when the copy failed: the bound matters more than the old lines.
  if (truncate(path.c_str(), 0) != 0) {
    return SystemError(absl::StrCat("cannot empty the log ", path));
  }
  return error ? absl::InternalError(absl::StrCat("cannot copy ", path, ": ", error.message()))
               : absl::OkStatus();
}

std::string TailOfLog(const std::string& path, int max_lines) {
  constexpr std::streamoff kMaxBytes = 8192;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    return "";
  }
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kMaxBytes));
  std::string text(static_cast<size_t>(std::min(size, kMaxBytes)), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  while (!lines.empty() && lines.back().empty()) {
    lines.pop_back();
  }
  const auto mark = std::find_if(lines.rbegin(), lines.rend(), [](const std::string& line) {
    return absl::StartsWith(line, kStartMark);
  });
  lines.erase(lines.begin(), mark.base());
  if (lines.size() > static_cast<size_t>(max_lines)) {
    lines.erase(lines.begin(), lines.end() - max_lines);
  }
  return absl::StrJoin(lines, "\n");
}

}  // namespace terminus::tools::cli
