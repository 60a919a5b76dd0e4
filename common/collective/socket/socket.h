#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace terminus::collective::socket {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { Reset(); }
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      Reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  void Reset();

 private:
  int fd_ = -1;
};

// A socket that listens, never blocks, and removes its file, if it has one, in the end.
class Listener {
 public:
  // `address` is "unix:/path" (a stale socket file is removed) or "host:port"; port 0 takes a free
  // one. INVALID_ARGUMENT for what is neither; UNAVAILABLE says why the system refuses.
  static absl::StatusOr<Listener> Open(const std::string& address);
  ~Listener();
  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = default;

  // A connection that waits, non-blocking; not valid when there is none.
  Fd Accept();

  int fd() const { return fd_.get(); }
  // With the port that was taken.
  const std::string& address() const { return address_; }

 private:
  Listener() = default;
  Fd fd_;
  std::string address_;
  std::string file_;
};

// Tries again until the deadline while nobody listens yet. The socket is non-blocking.
absl::StatusOr<Fd> Connect(const std::string& address, absl::Time deadline);

// The whole of it, or DEADLINE_EXCEEDED, or UNAVAILABLE when the other side is gone.
absl::Status SendAll(const Fd& fd, const void* data, size_t bytes, absl::Time deadline);
absl::Status ReceiveAll(const Fd& fd, void* data, size_t bytes, absl::Time deadline);

// The local IP address of a connection, as "1.2.3.4" or "[::1]"; empty for a Unix socket.
std::string LocalHost(const Fd& fd);

// Milliseconds for poll(2) until the deadline: rounded up, at least 0, at most an hour.
int PollMilliseconds(absl::Time deadline);

// "operation: why", UNAVAILABLE.
absl::Status SystemError(const std::string& operation, int error);

}  // namespace terminus::collective::socket
