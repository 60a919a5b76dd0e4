#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

#include "common/base/errors.h"
#include "common/base/mutex.h"
#include "common/rpc/status.h"
#include "services/decoder/edge/generate_call.h"
#include "services/decoder/testing/service_fixture.h"

namespace terminus::services::decoder::edge {
namespace {

using decoder::testing::Answer;

// Holds the model's steps until it is opened.
class Gate {
 public:
  void Pass() {
    base::MutexLock lock(mutex_);
    ++arrived_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mutex_);
  }
  void WaitForArrival() {
    base::MutexLock lock(mutex_);
    while (arrived_ == 0) changed_.Wait(mutex_);
  }
  void Open() {
    base::MutexLock lock(mutex_);
    open_ = true;
    changed_.NotifyAll();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  int arrived_ = 0;
  bool open_ = false;
};

class LoadTest : public decoder::testing::ServiceFixture {
 protected:
  // Outlives the model's last step, which may still be inside when a test has ended.
  Gate gate_;
};

std::string Prompt(int i) {
  return std::string(static_cast<size_t>(i % 5) * 9, 'p') + std::to_string(i);
}

TEST_F(LoadTest, ManyTogetherAnswerAsEachAlone) {
  Setup setup;
  setup.limits = {.max_sequences = 8, .token_budget = 32};
  setup.model.kv_blocks = 20;  // Short of memory: some must be preempted.
  Start(setup);
  constexpr int kCalls = 30;
  std::vector<std::thread> clients;
  for (int i = 0; i < kCalls; ++i) {
    clients.emplace_back([this, i] {
      const Answer answer = Generate(Ask(Prompt(i), 60));
      EXPECT_TRUE(answer.status.ok()) << answer.status;
      EXPECT_EQ(answer.text.at(0), Expected(Prompt(i), 60)) << i;
    });
  }
  for (std::thread& client : clients) client.join();
  ExpectNothingLeft();
  EXPECT_GT(Value("terminus_decoder_preemptions_total"), 0);
  EXPECT_EQ(Value("terminus_decoder_tokens_total{kind=\"generated\"}"), kCalls * 60);
}

TEST_F(LoadTest, SeedsGiveTheSameAloneAndBatched) {
  Setup setup;
  setup.model.kv_blocks = 20;
  Start(setup);
  const auto ask = [](int i) {
    auto request = Ask(Prompt(i), 40);
    request.mutable_request()->mutable_sampling()->set_temperature(1.2f);
    request.mutable_request()->mutable_sampling()->set_seed(static_cast<uint64_t>(i));
    return request;
  };
  std::vector<std::string> alone;
  for (int i = 0; i < 12; ++i) alone.push_back(Generate(ask(i)).text.at(0));
  std::vector<std::thread> clients;
  for (int i = 0; i < 12; ++i) {
    clients.emplace_back(
        [&, i] { EXPECT_EQ(Generate(ask(i)).text.at(0), alone[static_cast<size_t>(i)]) << i; });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_NE(alone[0], Expected(Prompt(0), 40)) << "nothing was sampled";
}

TEST_F(LoadTest, EightRunTogetherAndTheRestInOrderOfArrival) {
  constexpr int kCalls = 20;
  size_t most = 0;
  std::string begun;
  Setup setup;
  setup.model.on_step = [&](const models::decoder::StepInput& input) {
    gate_.Pass();
    most = std::max(most, input.query_indptr.size() - 1);
    for (size_t s = 0; s + 1 < input.query_indptr.size(); ++s) {
      const auto first = static_cast<size_t>(input.query_indptr[s]);
      if (input.positions[first] == 0) {
        begun += static_cast<char>(input.token_ids[first + 1]);  // After the mark of the role.
      }
    }
  };
  Start(setup);
  std::vector<std::thread> clients;
  std::string arrived;
  for (int i = 0; i < kCalls; ++i) {
    arrived += static_cast<char>('A' + i);
    clients.emplace_back([this, i] {
      const Answer answer = Generate(Ask(std::string(1, static_cast<char>('A' + i)), 10));
      EXPECT_TRUE(answer.status.ok()) << answer.status;
    });
    // The next arrives once this one is inside the engine.
    while (Value("terminus_decoder_running_sequences") +
               Value("terminus_decoder_waiting_sequences") <
           i + 1) {
      std::this_thread::yield();
    }
  }
  gate_.Open();
  for (std::thread& client : clients) client.join();
  server_->Shutdown();
  EXPECT_EQ(begun, arrived);
  EXPECT_EQ(most, 8u);
}

TEST_F(LoadTest, OneRequestTooManyIsRefusedWithADelay) {
  Setup setup;
  setup.service.max_requests = 3;
  setup.model.on_step = [&](const models::decoder::StepInput&) { gate_.Pass(); };
  Start(setup);
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([this] { EXPECT_TRUE(Generate(Ask("x", 3)).status.ok()); });
  }
  while (Value("terminus_decoder_requests") < 3) std::this_thread::yield();
  const absl::Status status = Generate(Ask("x", 3)).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::Reason(status), "OVERLOADED");
  EXPECT_TRUE(base::RetryDelay(status).has_value());
  EXPECT_EQ(Value("terminus_decoder_refused_total"), 1);
  gate_.Open();
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(Generate(Ask("x", 3)).status.ok());
  ExpectNothingLeft();
}

TEST_F(LoadTest, ADeadlineEndsWhatRunsAndWhatWaits) {
  Setup setup;
  setup.limits.max_sequences = 1;
  setup.model.on_step = [&](const models::decoder::StepInput&) { gate_.Pass(); };
  Start(setup);
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([this] {
      EXPECT_EQ(Generate(Ask("x", 100), absl::Milliseconds(300)).status.code(),
                absl::StatusCode::kDeadlineExceeded);
    });
  }
  for (std::thread& client : clients) client.join();
  gate_.Open();
  ExpectNothingLeft();
  EXPECT_TRUE(Generate(Ask("x", 3)).status.ok());
}

TEST_F(LoadTest, AStormOfCancellationsLeavesNothingBehind) {
  Setup setup;
  setup.model.kv_blocks = 24;
  Start(setup);
  std::vector<std::thread> clients;
  for (int c = 0; c < 6; ++c) {
    clients.emplace_back([this, c] {
      std::mt19937 random(static_cast<uint32_t>(c));
      for (int i = 0; i < 40; ++i) {
        grpc::ClientContext context;
        auto request = Ask(Prompt(static_cast<int>(random() % 20)), 1 + random() % 100);
        request.mutable_request()->mutable_sampling()->set_choices(1 + random() % 3);
        auto reader = stub_->Generate(&context, request);
        v1::GenerateResponse response;
        for (uint32_t reads = random() % 6; reads > 0 && reader->Read(&response); --reads) {
        }
        if (random() % 4 != 0) context.TryCancel();
        while (reader->Read(&response)) {
        }
        const grpc::Status status = reader->Finish();
        EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::CANCELLED)
            << status.error_message();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  ExpectNothingLeft();
  EXPECT_EQ(Generate(Ask("after", 20)).text.at(0), Expected("after", 20));
}

// Some leave while their format is compiled.
TEST_F(LoadTest, AThousandClientsThatLeaveMidStreamLeaveNothingBehind) {
  Setup setup;
  setup.model.kv_blocks = 40;
  setup.service.max_requests = 64;
  Start(setup);
  const auto served = service_->slots().served();
  const auto holders = served.use_count();
  std::vector<std::thread> clients;
  for (int c = 0; c < 10; ++c) {
    clients.emplace_back([this, c] {
      std::mt19937 random(static_cast<uint32_t>(c));
      for (int i = 0; i < 100; ++i) {
        grpc::ClientContext context;
        auto request = Ask(Prompt(static_cast<int>(random() % 20)), 200);
        if (random() % 4 == 0) {
          request.mutable_request()->set_regex("[a-z]{200}" + std::to_string(random() % 5));
        }
        auto reader = stub_->Generate(&context, request);
        v1::GenerateResponse response;
        for (uint32_t reads = random() % 4; reads > 0 && reader->Read(&response); --reads) {
        }
        context.TryCancel();
        static_cast<void>(reader->Finish());
      }
    });
  }
  for (std::thread& client : clients) client.join();
  ExpectNothingLeft();
  // Each call holds the model until gRPC has finished with it.
  const absl::Time patience = absl::Now() + absl::Seconds(30);
  while (served.use_count() != holders && absl::Now() < patience) std::this_thread::yield();
  EXPECT_EQ(served.use_count(), holders);
  EXPECT_GT(Value("terminus_decoder_cancel_to_release_seconds_count"), 0);
  EXPECT_EQ(Generate(Ask("after", 20)).text.at(0), Expected("after", 20));
}

TEST_F(LoadTest, ASlowReaderRestsAndCostsNobodyElse) {
  Setup setup;
  setup.model.max_context = 8192;
  setup.model.kv_blocks = 1100;
  setup.limits.max_sequences = 1;
  Start(setup);
  // Bulky messages, so that gRPC's own windows are soon full.
  auto request = Ask("slow", 6000);
  request.mutable_request()->mutable_sampling()->set_top_logprobs(20);
  grpc::ClientContext context;
  auto reader = stub_->Generate(&context, request);
  const auto generated = [this] {
    return Value("terminus_decoder_tokens_total{kind=\"generated\"}");
  };
  // It comes to rest by itself, when nobody reads: then others run alone on the one place there is.
  double before = -1;
  while (generated() == 0) std::this_thread::yield();
  Answer other;
  do {
    before = generated();
    other = Generate(Ask("other", 50));
    EXPECT_EQ(other.text.at(0), Expected("other", 50));
  } while (generated() != before + 50);
  EXPECT_LT(before, 5000) << "all of it was computed although nobody read";
  // Once it is read, all of it comes.
  const Answer answer = ReadAll(context, *reader);
  ASSERT_TRUE(answer.status.ok()) << answer.status;
  EXPECT_EQ(answer.tokens.at(0).size(), 6000u);
  EXPECT_EQ(answer.logprobs.at(0).size(), 6000u);
  EXPECT_EQ(answer.text.at(0), Expected("slow", 6000));
  ExpectNothingLeft();
}

TEST_F(LoadTest, ShutdownEndsCallsInFlight) {
  Setup setup;
  setup.model.on_step = [&](const models::decoder::StepInput&) { gate_.Pass(); };
  Start(setup);
  std::thread client([this] { EXPECT_FALSE(Generate(Ask("x", 100)).status.ok()); });
  gate_.WaitForArrival();
  server_->Shutdown();
  client.join();
  gate_.Open();
}

}  // namespace
}  // namespace terminus::services::decoder::edge
