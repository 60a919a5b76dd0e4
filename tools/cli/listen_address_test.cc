#include "tools/cli/listen_address.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace terminus::tools::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ListenAddressTest, FindsAFreePort) {
  auto address = ResolveListenAddress("127.0.0.1:0");
  ASSERT_TRUE(address.ok()) << address.status();
  EXPECT_THAT(*address, StartsWith("127.0.0.1:"));
  EXPECT_NE(*address, "127.0.0.1:0");
  EXPECT_EQ(ResolveListenAddress(*address).value(), *address);
}

TEST(ListenAddressTest, TakenPortIsNamedEvenWhenItsOwnerWouldShareIt) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(name);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&name), length), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  ASSERT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length), 0);
  const std::string address = "127.0.0.1:" + std::to_string(ntohs(name.sin_port));
  const absl::Status status = ResolveListenAddress(address).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(address), HasSubstr("terminus down"), HasSubstr("--listen")));
  close(fd);
}

TEST(ListenAddressTest, UnixAddressesPass) {
  EXPECT_EQ(ResolveListenAddress("unix:/tmp/x.sock").value(), "unix:/tmp/x.sock");
}

TEST(ListenAddressTest, RefusesNonsense) {
  for (const char* address : {"", "8500", ":8500", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"}) {
    EXPECT_EQ(ResolveListenAddress(address).status().code(), absl::StatusCode::kInvalidArgument)
        << address;
  }
}

}  // namespace
}  // namespace terminus::tools::cli
