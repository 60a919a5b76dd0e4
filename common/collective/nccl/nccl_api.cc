#include "common/collective/nccl/nccl_api.h"

#include <nccl.h>

#include <cstdio>
#include <cstring>

namespace {

static_assert(TERMINUS_NCCL_ID_BYTES == sizeof(ncclUniqueId));

int Result(ncclResult_t result) {
  return result == ncclInProgress ? TERMINUS_NCCL_NOT_YET : static_cast<int>(result);
}

ncclComm_t Comm(void* communicator) { return static_cast<ncclComm_t>(communicator); }
cudaStream_t Stream(void* stream) { return static_cast<cudaStream_t>(stream); }

const char* ErrorText(int result, void* communicator) {
  thread_local char text[512];
  const char* last = communicator == nullptr ? "" : ncclGetLastError(Comm(communicator));
  std::snprintf(text, sizeof(text), "%s%s%s", ncclGetErrorString(static_cast<ncclResult_t>(result)),
                *last == '\0' ? "" : ": ", last);
  return text;
}

int CreateId(void* id) {
  ncclUniqueId unique;
  const ncclResult_t result = ncclGetUniqueId(&unique);
  std::memcpy(id, &unique, sizeof(unique));
  return Result(result);
}

int Begin(int size, const void* id, int rank, void** communicator) {
  ncclUniqueId unique;
  std::memcpy(&unique, id, sizeof(unique));
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  return Result(ncclCommInitRankConfig(reinterpret_cast<ncclComm_t*>(communicator), size, unique,
                                       rank, &config));
}

int State(void* communicator) {
  ncclResult_t state = ncclSuccess;
  const ncclResult_t result = ncclCommGetAsyncError(Comm(communicator), &state);
  return Result(result == ncclSuccess ? state : result);
}

int Send(void* communicator, const void* data, uint64_t bytes, int to, void* stream) {
  return Result(ncclSend(data, bytes, ncclUint8, to, Comm(communicator), Stream(stream)));
}

int Receive(void* communicator, void* data, uint64_t bytes, int from, void* stream) {
  return Result(ncclRecv(data, bytes, ncclUint8, from, Comm(communicator), Stream(stream)));
}

int SendReceive(void* communicator, const void* send, uint64_t send_bytes, int to, void* receive,
                uint64_t receive_bytes, int from, void* stream) {
  ncclResult_t result = ncclGroupStart();
  if (result != ncclSuccess) {
    return Result(result);
  }
  const ncclResult_t sent =
      ncclSend(send, send_bytes, ncclUint8, to, Comm(communicator), Stream(stream));
  const ncclResult_t received =
      ncclRecv(receive, receive_bytes, ncclUint8, from, Comm(communicator), Stream(stream));
  // Also after an error: the group must be closed.
  result = ncclGroupEnd();
  for (const ncclResult_t of_one : {sent, received}) {
    if (of_one != ncclSuccess && of_one != ncclInProgress) {
      return Result(of_one);
    }
  }
  return Result(result);
}

ncclDataType_t TypeOf(TerminusNcclType type) {
  switch (type) {
    case TERMINUS_NCCL_INT32:
      return ncclInt32;
    case TERMINUS_NCCL_FLOAT32:
      return ncclFloat32;
    case TERMINUS_NCCL_BFLOAT16:
      return ncclBfloat16;
  }
  return ncclNumTypes;  // Which NCCL refuses.
}

int AllReduceSum(void* communicator, void* data, uint64_t count, TerminusNcclType type,
                 void* stream) {
  return Result(
      ncclAllReduce(data, data, count, TypeOf(type), ncclSum, Comm(communicator), Stream(stream)));
}

int Broadcast(void* communicator, void* data, uint64_t bytes, int root, void* stream) {
  return Result(
      ncclBroadcast(data, data, bytes, ncclUint8, root, Comm(communicator), Stream(stream)));
}

int AllGather(void* communicator, const void* part, void* whole, uint64_t part_bytes,
              void* stream) {
  return Result(
      ncclAllGather(part, whole, part_bytes, ncclUint8, Comm(communicator), Stream(stream)));
}

int Finalize(void* communicator) { return Result(ncclCommFinalize(Comm(communicator))); }
int Destroy(void* communicator) { return Result(ncclCommDestroy(Comm(communicator))); }
int Abort(void* communicator) { return Result(ncclCommAbort(Comm(communicator))); }

constexpr TerminusNcclApi kApi = {TERMINUS_NCCL_API_VERSION,
                                  ErrorText,
                                  CreateId,
                                  Begin,
                                  State,
                                  Send,
                                  Receive,
                                  SendReceive,
                                  AllReduceSum,
                                  Broadcast,
                                  AllGather,
                                  Finalize,
                                  Destroy,
                                  Abort};

}  // namespace

const TerminusNcclApi* terminus_nccl_api() { return &kApi; }
