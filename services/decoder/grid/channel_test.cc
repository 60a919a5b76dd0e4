#include "services/decoder/grid/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <memory>
#include <utility>

#include "absl/time/clock.h"

namespace terminus::services::decoder::grid {
namespace {

using collective::socket::Fd;

std::pair<Fd, Fd> Connected() {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

absl::Time Soon() { return absl::Now() + absl::Seconds(30); }

// The other side of the connection is the test.
class ChannelTest : public ::testing::Test {
 protected:
  void Open(Channel::Options options = {}) {
    auto [near, far] = Connected();
    far_ = std::move(far);
    channel_ = std::make_unique<Channel>(
        std::move(near), [this](Message message) { received_.set_value(std::move(message)); },
        [this](const absl::Status& why) { lost_.set_value(why); }, options);
  }

  Fd far_;
  std::promise<Message> received_;
  std::promise<absl::Status> lost_;
  std::unique_ptr<Channel> channel_;
};

TEST_F(ChannelTest, MessagesGoBothWaysAndBeatsAreNotShown) {
  Open();
  ASSERT_TRUE(SendMessage(far_, {MessageType::kBeat, ""}, Soon()).ok());
  ASSERT_TRUE(SendMessage(far_, {MessageType::kPlan, "bytes"}, Soon()).ok());
  const Message received = received_.get_future().get();
  EXPECT_EQ(received.type, MessageType::kPlan);
  EXPECT_EQ(received.payload, "bytes");
  channel_->Send({MessageType::kResult, std::string(3 << 20, 'r')});
  const auto sent = ReceiveMessage(far_, Soon());
  ASSERT_TRUE(sent.ok()) << sent.status();
  EXPECT_EQ(sent->payload.size(), size_t{3} << 20);
}

TEST_F(ChannelTest, WhatWasSentBeforeTheEndArrives) {
  Open();
  channel_->Send({MessageType::kClose, ""});
  channel_.reset();
  const auto last = ReceiveMessage(far_, Soon());
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->type, MessageType::kClose);
  EXPECT_FALSE(ReceiveMessage(far_, Soon()).ok());
}

TEST_F(ChannelTest, SilenceIsALoss) {
  Open({.beat = absl::Milliseconds(20), .silence = absl::Milliseconds(200)});
  const absl::Status why = lost_.get_future().get();
  EXPECT_EQ(why.code(), absl::StatusCode::kDeadlineExceeded) << why;
  // Its own beats have come meanwhile.
  const auto beat = ReceiveMessage(far_, Soon());
  ASSERT_TRUE(beat.ok());
  EXPECT_EQ(beat->type, MessageType::kBeat);
}

TEST_F(ChannelTest, AClosedConnectionIsALoss) {
  Open();
  far_.Reset();
  EXPECT_EQ(lost_.get_future().get().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ChannelTest, BytesThatAreNoMessageAreALoss) {
  Open();
  const std::string noise(64, '\xee');
  ASSERT_TRUE(collective::socket::SendAll(far_, noise.data(), noise.size(), Soon()).ok());
  const absl::Status why = lost_.get_future().get();
  EXPECT_NE(why.message().find("no message"), absl::string_view::npos) << why;
}

TEST(Messages, AreRefusedWhenTheyAreTooLong) {
  const auto [near, far] = Connected();
  Message message = {MessageType::kPlan, {}};
  message.payload.resize(size_t{kMaxPayloadBytes} + 1);
  EXPECT_EQ(SendMessage(near, message, Soon()).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace terminus::services::decoder::grid
