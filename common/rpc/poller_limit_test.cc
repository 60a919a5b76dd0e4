#include "common/rpc/poller_limit.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/time/clock.h"
#include "common/base/mutex.h"
#include "terminus/v1/cluster.grpc.pb.h"

namespace terminus::rpc {
namespace {

// Notes the threads that its handlers run on.
class ThreadCollector : public v1::Cluster::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest*,
                                      v1::GetStatusResponse*) override {
    {
      base::MutexLock lock(mutex_);
      threads_.insert(std::this_thread::get_id());
    }
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  size_t TakeThreads() {
    base::MutexLock lock(mutex_);
    return std::exchange(threads_, {}).size();
  }

 private:
  base::Mutex mutex_;
  std::set<std::thread::id> threads_ ABSL_GUARDED_BY(mutex_);
};

class PollerLimitTest : public testing::Test {
 protected:
  PollerLimitTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                                   grpc::InsecureChannelCredentials());
  }

  bool Call() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::GetStatusResponse response;
    return v1::Cluster::NewStub(channel_)->GetStatus(&context, {}, &response).ok();
  }

  // How many threads have handled the latest `calls` calls.
  size_t ThreadsOf(int calls) {
    service_.TakeThreads();
    for (int i = 0; i < calls; ++i) {
      EXPECT_TRUE(Call());
    }
    return service_.TakeThreads();
  }

  int port_ = 0;
  ThreadCollector service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(PollerLimitTest, OneThreadIsLeftOnFewCores) {
  if (std::thread::hardware_concurrency() > 2) {
    GTEST_SKIP() << "has no effect on more than two cores";
  }
  {
    const PollerLimit limit(*server_);
    // The thread leaves at its next event.
    const absl::Time patience = absl::Now() + absl::Seconds(30);
    size_t threads = 2;
    while (threads > 1 && absl::Now() < patience) {
      threads = ThreadsOf(200);
    }
    EXPECT_EQ(threads, 1u);
  }
  EXPECT_TRUE(Call());
}

TEST_F(PollerLimitTest, SeveralTogetherLeaveAThread) {
  const PollerLimit first(*server_);
  {
    const PollerLimit second(*server_);
    const PollerLimit third(*server_);
    EXPECT_TRUE(Call());
  }
  EXPECT_TRUE(Call());
}

}  // namespace
}  // namespace terminus::rpc
