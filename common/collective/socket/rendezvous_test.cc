#include "common/collective/socket/rendezvous.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/collective/socket/testing.h"

namespace terminus::collective::socket {
namespace {

using testing::HasSubstr;

absl::Time Patience() { return absl::Now() + absl::Seconds(60); }

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Rank 0 of two at `address`, created on a thread of its own.
class RankZero {
 public:
  explicit RankZero(const std::string& address, absl::Time deadline = Patience())
      : result_(std::async(std::launch::async, [address, deadline] {
          return CreateSocket({.rank = 0, .size = 2, .address = address}, deadline);
        })) {}
  absl::StatusOr<std::unique_ptr<Communicator>> Get() { return result_.get(); }

 private:
  std::future<absl::StatusOr<std::unique_ptr<Communicator>>> result_;
};

struct Stranger {
  std::string name;
  Options options;
  std::string why;
};

class Strangers : public testing::TestWithParam<Stranger> {};

TEST_P(Strangers, AreRefusedAndTheRightOneIsStillTaken) {
  const std::string address = FreeTcpAddress();
  RankZero zero(address);
  Options wrong = GetParam().options;
  wrong.address = address;
  const auto refused = CreateSocket(wrong, Patience());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
  EXPECT_THAT(Message(refused.status()), HasSubstr(GetParam().why));

  const auto one = CreateSocket({.rank = 1, .size = 2, .address = address}, Patience());
  ASSERT_TRUE(one.ok()) << one.status();
  const auto accepted = zero.Get();
  ASSERT_TRUE(accepted.ok()) << accepted.status();
}

INSTANTIATE_TEST_SUITE_P(
    All, Strangers,
    testing::Values(Stranger{"Build",
                             {.rank = 1, .size = 2, .build = "9.9.9"},
                             absl::StrCat("build is '9.9.9', expected '", kVersion, "'")},
                    Stranger{"Job",
                             {.rank = 1, .size = 2, .job = "another"},
                             "job is 'another', expected 'terminus'"},
                    Stranger{"World", {.rank = 2, .size = 3}, "world size is '3', expected '2'"}),
    [](const auto& info) { return info.param.name; });

TEST(Rendezvous, ASecondOfTheSameRankIsRefused) {
  const std::string address = FreeTcpAddress();
  auto zero = std::async(std::launch::async, [&] {
    return CreateSocket({.rank = 0, .size = 3, .address = address}, Patience());
  });
  auto one = std::async(std::launch::async, [&] {
    return CreateSocket({.rank = 1, .size = 3, .address = address}, Patience());
  });
  auto other = std::async(std::launch::async, [&] {
    return CreateSocket({.rank = 1, .size = 3, .address = address}, Patience());
  });
  // Whichever came first waits for rank 2; the other is back at once.
  while (one.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready &&
         other.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
  }
  const bool first_is_back = one.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  const auto late = (first_is_back ? one : other).get();
  EXPECT_EQ(late.status().code(), absl::StatusCode::kFailedPrecondition) << late.status();
  EXPECT_THAT(Message(late.status()), HasSubstr("rank 1 is here already"));
  const auto two = CreateSocket({.rank = 2, .size = 3, .address = address}, Patience());
  ASSERT_TRUE(two.ok()) << two.status();
  const auto kept = (first_is_back ? other : one).get();
  ASSERT_TRUE(kept.ok()) << kept.status();
  const auto first = zero.get();
  ASSERT_TRUE(first.ok()) << first.status();
}

TEST(Rendezvous, NoiseAndSilenceDoNoHarm) {
  const std::string address = FreeTcpAddress();
  RankZero zero(address);
  const auto silent = Connect(address, Patience());
  ASSERT_TRUE(silent.ok()) << silent.status();
  const auto noisy = Connect(address, Patience());
  ASSERT_TRUE(noisy.ok()) << noisy.status();
  const std::string noise(1000, 'x');
  ASSERT_TRUE(SendAll(*noisy, noise.data(), noise.size(), Patience()).ok());
  {
    const auto short_lived = Connect(address, Patience());
    ASSERT_TRUE(short_lived.ok()) << short_lived.status();
  }
  const auto one = CreateSocket({.rank = 1, .size = 2, .address = address}, Patience());
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_TRUE(zero.Get().ok());
}

TEST(Rendezvous, SaysWhoIsMissing) {
  const std::string address = FreeTcpAddress();
  const auto zero = CreateSocket({.rank = 0, .size = 3, .address = address}, absl::Now());
  EXPECT_EQ(zero.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(zero.status()), HasSubstr("waits for rank 1, 2"));
  const auto one = CreateSocket({.rank = 1, .size = 3, .address = address}, absl::Now());
  EXPECT_EQ(one.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(one.status()), HasSubstr(absl::StrCat("nobody to be reached at ", address)));
}

TEST(Rendezvous, WrongOptionsAreRefused) {
  const auto expect_refused = [](const Options& options, const std::string& why) {
    const auto refused = CreateSocket(options, Patience());
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument) << refused.status();
    EXPECT_THAT(Message(refused.status()), HasSubstr(why));
  };
  const std::string address = FreeTcpAddress();
  expect_refused({.rank = 2, .size = 2, .address = address}, "rank 2 in a world of 2");
  expect_refused({.rank = -1, .size = 2, .address = address}, "rank -1");
  expect_refused({.rank = 0, .size = 0, .address = address}, "world of 0");
  expect_refused({.rank = 0, .size = kMaxWorld + 1, .address = address}, "expected 1 to 256");
  expect_refused({.rank = 0, .size = 2, .address = "nonsense"}, "neither unix:/path nor host:port");
  expect_refused({.rank = 1, .size = 2, .address = "nonsense"}, "neither unix:/path nor host:port");
  expect_refused({.rank = 0, .size = 2, .address = "unix:" + std::string(200, 'x')},
                 "path has 200");
  expect_refused({.rank = 0, .size = 2, .address = address, .job = std::string(200, 'x')},
                 "job has 200 bytes, limit 127");
}

TEST(Rendezvous, AUnixSocketLeavesNoFile) {
  const std::string address = FreeUnixAddress();
  const std::string path(absl::StripPrefix(address, "unix:"));
  // One that a process left behind is no obstacle: this child listens and never removes its file.
  const pid_t child = fork();
  if (child == 0) {
    _exit(Listener::Open(address).ok() ? 0 : 1);
  }
  int exit_status = 0;
  waitpid(child, &exit_status, 0);
  ASSERT_EQ(exit_status, 0);
  ASSERT_TRUE(CreateAll({.size = 3, .address = address}).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".1"));
}

// A world of real processes: this one is rank 0, the other is killed without a chance to say a
// word.
TEST(SocketTransport, AKilledProcessEndsTheWaitOfTheOthers) {
  const std::string address = FreeTcpAddress();
  const pid_t child = fork();
  if (child == 0) {
    // Exits by itself if this test does.
    alarm(60);
    const auto rank = CreateSocket({.rank = 1, .size = 2, .address = address}, Patience());
    if (rank.ok()) {
      (*rank)->Barrier(Patience()).IgnoreError();
      // Never comes to another.
      pause();
    }
    _exit(1);
  }
  ASSERT_GT(child, 0);
  const auto rank = CreateSocket({.rank = 0, .size = 2, .address = address}, Patience());
  ASSERT_TRUE(rank.ok()) << rank.status();
  ASSERT_TRUE((*rank)->Barrier(Patience()).ok());
  std::thread killer([child] { kill(child, SIGKILL); });
  const absl::Status status = (*rank)->Barrier(Patience());
  killer.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(Message(status), HasSubstr("rank 1"));
  waitpid(child, nullptr, 0);
}

// What a peer claims never decides how much memory is used.
TEST(SocketTransport, AMessageThatClaimsTooMuchIsRefused) {
  auto ranks = CreateAll({.size = 2, .address = FreeUnixAddress()});
  ASSERT_TRUE(ranks.ok()) << ranks.status();
  std::vector<char> large(1 << 20);
  const Buffer sent = {.data = large.data(), .count = 1 << 20, .dtype = weights::DType::kUInt8};
  char little[4] = "abc";
  const Buffer awaited = {.data = little, .count = 3, .dtype = weights::DType::kUInt8};
  auto send = (*ranks)[0]->Send(sent, 1);
  ASSERT_TRUE(send.ok()) << send.status();
  auto receive = (*ranks)[1]->Recv(awaited, 0);
  ASSERT_TRUE(receive.ok()) << receive.status();
  const absl::Status status = (*receive)->Wait(Patience());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(Message(status), HasSubstr("uint8[1048576]"));
  EXPECT_STREQ(little, "abc");
  EXPECT_EQ((*send)->Wait(Patience()).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace terminus::collective::socket
