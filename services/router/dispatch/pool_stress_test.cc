// Many threads at one pool: submitting, answering, cancelling, losing replicas.

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/bounded_queue.h"
#include "services/router/dispatch/pool.h"

namespace terminus::services::router::dispatch {
namespace {

constexpr int kSubmitters = 4;
constexpr int kCallsEach = 500;
constexpr int kItems = 3;

// Answers on a thread of its own; every 17th batch finds it gone.
class ThreadedReplica : public BatchSender {
 public:
  ThreadedReplica() : thread_([this] { Run(); }) {}
  ~ThreadedReplica() override {
    queue_.Close();
    thread_.join();
  }

  void Send(BatchCall& call, std::function<void(grpc::Status)> done) override {
    queue_.TryPush({&call, std::move(done)});
  }
  void Cancel(BatchCall&) override { ++cancels_; }

 private:
  struct Sent {
    BatchCall* call;
    std::function<void(grpc::Status)> done;
  };

  void Run() {
    int batches = 0;
    while (std::optional<Sent> sent = queue_.Pop()) {
      if (++batches % 17 == 0) {
        sent->done(grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone"));
        continue;
      }
      sent->call->response.set_space_id(sent->call->request.space_id());
      for (int i = 0; i < sent->call->request.items_size(); ++i) {
        v1::Tensor* vector = sent->call->response.add_results()->mutable_vector();
        vector->set_dtype(v1::DATA_TYPE_FLOAT32);
        vector->add_shape(1);
        vector->set_data(std::string(sizeof(float), '\0'));
      }
      sent->done(grpc::Status::OK);
    }
  }

  base::BoundedQueue<Sent> queue_{1024};
  std::atomic<int> cancels_{0};
  std::thread thread_;
};

class CountingOwner : public EncodeOwner {
 public:
  void OnEncoded(uint64_t, EncodeOutcome outcome) override {
    ++ended;
    answered += outcome.status.ok();
  }
  const rpc::RequestContext& request() const override { return request_; }

  std::atomic<int> ended{0};
  std::atomic<int> answered{0};

 private:
  rpc::RequestContext request_;
};

TEST(PoolStressTest, EveryTaskEndsOnce) {
  auto model = std::make_shared<ServedModel>();
  model->space_id = "space";
  model->dimension = 1;
  const std::shared_ptr<const ServedModel> served = model;
  CountingOwner owner;
  metrics::Registry registry("test");
  std::vector<std::shared_ptr<ThreadedReplica>> replicas;
  for (int i = 0; i < 3; ++i) {
    replicas.push_back(std::make_shared<ThreadedReplica>());
  }
  // Outlives the pool, which reports losses until its end.
  std::function<void(int)> add;
  {
    Pool pool({.service = "text", .queue = {.limits = {.max_items = 8}}},
              PoolMetrics(registry, "text"));
    add = [&](int i) {
      pool.AddReplica({.address = std::to_string(i),
                       .sender = replicas[i],
                       .max_in_flight = 2,
                       .on_lost = [&add, i] { add(i); }});
    };
    for (int i = 0; i < 3; ++i) {
      add(i);
    }
    std::vector<std::thread> submitters;
    for (int t = 0; t < kSubmitters; ++t) {
      submitters.emplace_back([&, t] {
        for (int call = 0; call < kCallsEach; ++call) {
          auto cancel = std::make_shared<batching::CancelFlag>();
          std::vector<std::unique_ptr<EncodeTask>> tasks;
          for (int i = 0; i < kItems; ++i) {
            tasks.push_back(std::make_unique<EncodeTask>());
            tasks.back()->owner = &owner;
            tasks.back()->deadline = absl::Now() + absl::Seconds(30);
            tasks.back()->cancel = cancel;
            tasks.back()->model = served;
            tasks.back()->item = std::make_unique<v1::EncodeItem>();
          }
          pool.Submit(std::move(tasks));
          if ((call + t) % 11 == 0) {
            cancel->Raise();
            pool.SweepCancelled();
          }
          if (call % 50 == 0) {
            pool.stats();
          }
        }
      });
    }
    for (std::thread& submitter : submitters) {
      submitter.join();
    }
  }
  EXPECT_EQ(owner.ended, kSubmitters * kCallsEach * kItems);
  EXPECT_GT(owner.answered, 0);
}

}  // namespace
}  // namespace terminus::services::router::dispatch
