#include "tools/cli/detach.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tools/cli/command.h"

namespace terminus::tools::cli {

absl::StatusOr<Detached> Detached::Fork() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "cannot open a pipe");
  }
  fflush(nullptr);  // Or both would print what is buffered.
  const pid_t child = fork();
  if (child < 0) {
    return absl::ErrnoToStatus(errno, "cannot fork");
  }
  if (child == 0) {
    close(ends[0]);
    setsid();
    return Detached(false, ends[1], 0);
  }
  close(ends[1]);
  return Detached(true, ends[0], child);
}

Detached::~Detached() {
  if (fd_ >= 0) {
    close(fd_);
  }
}

absl::Status Detached::WaitForChild() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
  if (signal_fd < 0) {
    return absl::ErrnoToStatus(errno, "cannot wait for signals");
  }
  pollfd waits[] = {{.fd = fd_, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
  // The child has a deadline of its own for becoming ready.
  while (true) {
    if (poll(waits, 2, -1) < 0) {
      continue;
    }
    signalfd_siginfo info;
    if ((waits[1].revents & POLLIN) != 0 && read(signal_fd, &info, sizeof(info)) > 0) {
      kill(child_, SIGTERM);
    }
    if (waits[0].revents != 0) {
      char byte;
      const bool ready = read(fd_, &byte, 1) == 1;
      close(signal_fd);
      return ready ? absl::OkStatus() : AlreadyReported();
    }
  }
}

absl::Status Detached::Ready(const std::string& log) {
  fflush(nullptr);
  const int log_fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (log_fd < 0 || null_fd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", log));
  }
  dup2(null_fd, STDIN_FILENO);
  dup2(log_fd, STDOUT_FILENO);
  dup2(log_fd, STDERR_FILENO);
  close(null_fd);
  close(log_fd);
  const char byte = 1;
  const bool told = write(fd_, &byte, 1) == 1;
  close(fd_);
  fd_ = -1;
  return told ? absl::OkStatus() : absl::UnavailableError("the starting process has gone");
}

}  // namespace terminus::tools::cli
