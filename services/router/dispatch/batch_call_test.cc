#include "services/router/dispatch/batch_call.h"

#include <gtest/gtest.h>

namespace terminus::services::router::dispatch {
namespace {

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

class Owner : public EncodeOwner {
 public:
  void OnEncoded(uint64_t, EncodeOutcome) override {}
  const rpc::RequestContext& request() const override { return context; }
  rpc::RequestContext context;
};

std::unique_ptr<batching::Task> Task(EncodeOwner& owner, const std::string& text,
                                     absl::Duration left) {
  auto task = std::make_unique<EncodeTask>();
  task->owner = &owner;
  task->deadline = kNow + left;
  task->model = std::make_shared<const ServedModel>(ServedModel{.space_id = "space"});
  task->item = std::make_unique<v1::EncodeItem>();
  task->item->mutable_content()->set_text(text);
  return task;
}

TEST(BatchCallTest, ItemsMoveInAndBack) {
  Owner owner;
  BatchCall call;
  const std::string large(1 << 16, 'x');
  call.tasks.push_back(Task(owner, "a", absl::Milliseconds(5)));
  call.tasks.push_back(Task(owner, large, absl::Seconds(7)));
  const char* bytes = call.task(1).item->content().text().data();
  FillCall(kNow, call);
  EXPECT_EQ(call.request.space_id(), "space");
  EXPECT_EQ(call.request.items(0).timeout_us(), 5'000u);
  EXPECT_EQ(call.request.items(1).timeout_us(), 7'000'000u);
  EXPECT_EQ(call.request.items(1).content().text().data(), bytes) << "copied";
  EXPECT_EQ(absl::FromChrono(call.context.deadline()), kNow + absl::Seconds(7));

  const auto back = TakeBack(call);
  EXPECT_EQ(call.request.items_size(), 0);
  EXPECT_EQ(static_cast<EncodeTask&>(*back[0]).item->content().text(), "a");
  EXPECT_EQ(static_cast<EncodeTask&>(*back[1]).item->content().text().data(), bytes);
}

}  // namespace
}  // namespace terminus::services::router::dispatch
