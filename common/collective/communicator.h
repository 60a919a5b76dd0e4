#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/collective/buffer.h"

namespace terminus::collective {

// A Send or Recv under way.
class Work {
 public:
  // In host memory, dropping an unfinished Work aborts the communicator: the buffer is the
  // caller's again at once. In CUDA memory the stream's order is all that is needed, and a Work may
  // be dropped freely.
  virtual ~Work() = default;

  // Returns when the buffer may be read (Recv) or used again (Send); a finished Send says nothing
  // of whether the peer has received. OK again if it is called again.
  virtual absl::Status Wait(absl::Time deadline) = 0;
};

// One rank of a fixed world of ranks that exchange buffers: threads of one process (loopback),
// processes (socket), or GPUs (nccl). All behave alike; one conformance suite holds them to it.
//
// Order. Two ranks must issue the operations between them in the same order with the same types
// and counts, and all ranks must issue the collective ones (all but Send and Recv) in the same
// order. The n-th Send of a to b is received by the n-th Recv of b from a. Whether Send waits for
// that Recv is open: two ranks that both need something of each other use SendRecv.
//
// Host memory: Send and Recv return at once; the others return when their result is there.
// CUDA memory: everything only enters the buffer's stream; `deadline` is the patience with that, a
// minute for Send and Recv. Finish waits for the stream.
//
// Errors. A wrong argument is INVALID_ARGUMENT, and nothing was done. Any other error is final: the
// ranks no longer agree on where they are, so the communicator is broken, each later call returns
// the error it broke with, and the other ranks break too, wherever they wait:
//   INVALID_ARGUMENT    peers disagree about an operation, type or count; on both sides. Only in
//                       host memory: NCCL does not look, and waits until the deadline, or mixes up
//   DEADLINE_EXCEEDED   here, and UNAVAILABLE on the others, as for all that follows
//   CANCELLED           Abort was called on this rank
//   UNAVAILABLE         another rank died, left too early or gave up; says which and why
//   INTERNAL            what CUDA or NCCL says
//
// Thread-safety: one thread at a time issues operations and waits; Abort may be called from any,
// and in host memory Finish too.
// Destroy it only when all Works are gone. Leaving (destruction) with everything received is no
// error for the others, as long as they want nothing more of this rank; in CUDA memory all leave
// together, and a rank that leaves alone breaks the others after five seconds.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // The buffer must live, and for Send stay unchanged, until the Work is finished (host) or the
  // stream has passed it (CUDA). RESOURCE_EXHAUSTED, as final as the others, with more than
  // kMaxOutstanding unfinished to or from one peer.
  virtual absl::StatusOr<std::unique_ptr<Work>> Send(const Buffer& buffer, int to) = 0;
  virtual absl::StatusOr<std::unique_ptr<Work>> Recv(const Buffer& buffer, int from) = 0;

  // Both at once; neither waits for the other. The buffers must not overlap.
  virtual absl::Status SendRecv(const Buffer& send, int to, const Buffer& recv, int from,
                                absl::Time deadline) = 0;

  // Replaces each element by its sum over all ranks; float32, bfloat16 or int32 (which wraps
  // around). In host memory ranks are added in order 0, 1, …, bfloat16 in float32 with one
  // rounding at the end, so that all ranks get the same bits in every run. NCCL chooses its own
  // order.
  virtual absl::Status AllReduceSum(const Buffer& buffer, absl::Time deadline) = 0;

  // Copies the buffer of rank `root` to all.
  virtual absl::Status Broadcast(const Buffer& buffer, int root, absl::Time deadline) = 0;

  // whole [size, part]: the parts of all ranks in their order, in the same memory and stream.
  virtual absl::Status AllGather(const Buffer& part, const Buffer& whole, absl::Time deadline) = 0;

  // Returns once every rank has called it. Says nothing of streams.
  virtual absl::Status Barrier(absl::Time deadline) = 0;

  // Waits until all that was put into `stream` is done, or the communicator breaks. In host
  // memory, where nothing is left to wait for, tells whether it is broken.
  virtual absl::Status Finish(void* stream, absl::Time deadline) = 0;

  // Breaks the communicator: what waits here returns CANCELLED with `why` in it. Thread-safe.
  virtual void Abort(absl::string_view why) = 0;
};

inline constexpr int kMaxOutstanding = 1024;

}  // namespace terminus::collective
