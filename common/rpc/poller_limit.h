#pragma once

#include <grpcpp/server.h>

#include <memory>

namespace terminus::rpc {

// On a machine of one or two cores, keeps one of gRPC's two callback threads out of the polling
// loop for as long as it lives; elsewhere, and while another one does so in this process, nothing.
//
// gRPC runs the callbacks of a process on two threads at least, which take turns at waiting for the
// network: an event wakes the other thread to wait in its place, and an operation that ends wakes
// it once more. Where both ends of a call share two cores, these wakes cost more than a second
// thread gives: a quarter of what the router adds to a call. The thread is kept in a callback that
// does not return, so no callback may wait for another one; none here does.
class PollerLimit {
 public:
  // The server must outlive it, and must not be shut down before.
  explicit PollerLimit(grpc::Server& server);
  ~PollerLimit();

 private:
  struct Call;
  std::unique_ptr<Call> call_;
};

}  // namespace terminus::rpc
