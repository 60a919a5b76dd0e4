#include "services/router/dispatch/batch_call.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "common/rpc/context.h"

namespace terminus::services::router::dispatch {
namespace {

// What a receiver takes as a request id.
constexpr size_t kMaxRequestIdBytes = 128;

// A batch that serves one request is that request's hop. One that serves several names as many as
// an id has room for, and belongs to no single trace.
rpc::RequestContext ContextOfBatch(const BatchCall& call, absl::Time deadline) {
  const EncodeOwner* last = call.task(0).owner;
  rpc::RequestContext context = last->request();
  context.deadline = deadline;
  for (size_t i = 1; i < call.tasks.size(); ++i) {
    const EncodeOwner* owner = call.task(i).owner;
    if (owner == last) {
      continue;
    }
    last = owner;
    context.traceparent.clear();
    const std::string& id = owner->request().request_id;
    if (context.request_id.size() + 1 + id.size() > kMaxRequestIdBytes) {
      break;
    }
    context.request_id += ',';
    context.request_id += id;
  }
  return context;
}

}  // namespace

std::vector<std::unique_ptr<batching::Task>> SplitOff(
    std::vector<std::unique_ptr<batching::Task>>& tasks) {
  const auto space_of = [](const std::unique_ptr<batching::Task>& task) -> const std::string& {
    return static_cast<const EncodeTask&>(*task).model->space_id;
  };
  const std::string& space = space_of(tasks.front());
  const auto is_of_it = [&](const auto& task) { return space_of(task) == space; };
  // Nearly always all are.
  auto others = std::find_if_not(tasks.begin(), tasks.end(), is_of_it);
  others = std::stable_partition(others, tasks.end(), is_of_it);
  std::vector<std::unique_ptr<batching::Task>> split(std::make_move_iterator(others),
                                                     std::make_move_iterator(tasks.end()));
  tasks.erase(others, tasks.end());
  return split;
}

void FillCall(absl::Time now, BatchCall& call) {
  call.request.set_space_id(call.task(0).model->space_id);
  call.request.mutable_items()->Reserve(static_cast<int>(call.tasks.size()));
  absl::Time latest = absl::InfinitePast();
  for (size_t i = 0; i < call.tasks.size(); ++i) {
    EncodeTask& task = call.task(i);
    latest = std::max(latest, task.deadline);
    // 0 would mean none; a task with less than this left is not sent.
    task.item->set_timeout_us(std::max<int64_t>(1, absl::ToInt64Microseconds(task.deadline - now)));
    call.request.mutable_items()->AddAllocated(task.item.release());
  }
  rpc::Propagate(ContextOfBatch(call, latest), &call.context);
}

std::vector<std::unique_ptr<batching::Task>> TakeBack(BatchCall& call) {
  for (size_t i = call.tasks.size(); i-- > 0;) {
    call.task(i).item.reset(call.request.mutable_items()->ReleaseLast());
  }
  return std::move(call.tasks);
}

}  // namespace terminus::services::router::dispatch
