#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace terminus::tools::cli {

// The two sides of a process that goes on in the background once it works.
class Detached {
 public:
  // Forks; call it while there is one thread. The child leads a session of its own and still
  // writes to our terminal.
  static absl::StatusOr<Detached> Fork();

  Detached(Detached&& other) noexcept
      : parent_(other.parent_), fd_(other.fd_), child_(other.child_) {
    other.fd_ = -1;
  }
  Detached& operator=(Detached&&) = delete;
  ~Detached();

  bool is_parent() const { return parent_; }

  // In the parent: waits until the child calls Ready (OK) or ends (an error that the child has
  // told about). Ctrl-C is passed on to the child.
  absl::Status WaitForChild();

  // In the child: lets the parent go; from now on output goes to `log`.
  absl::Status Ready(const std::string& log);

 private:
  Detached(bool parent, int fd, pid_t child) : parent_(parent), fd_(fd), child_(child) {}

  bool parent_;
  // The end of a pipe through which the child tells that it is ready.
  int fd_;
  pid_t child_;
};

}  // namespace terminus::tools::cli
