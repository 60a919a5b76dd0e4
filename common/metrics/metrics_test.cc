#include "common/metrics/metrics.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"

namespace terminus::metrics {
namespace {

using testing::HasSubstr;

TEST(Metrics, ScrapeShowsWhatWasCounted) {
  Registry registry("test");
  registry.AddCounter("terminus_things_total", "Things.", {{"code", "OK"}}).Increment(3);
  registry.AddGauge("terminus_level", "Level.").Set(7);
  Observe(registry.AddHistogram("terminus_wait_seconds", "Wait.", SecondsBuckets()),
          absl::Milliseconds(2));
  const std::string page = registry.Scrape();
  EXPECT_THAT(page, HasSubstr("terminus_things_total{code=\"OK\"} 3"));
  EXPECT_THAT(page, HasSubstr("terminus_level 7"));
  EXPECT_THAT(page, HasSubstr("terminus_wait_seconds_bucket{le=\"0.001\"} 0"));
  EXPECT_THAT(page, HasSubstr("terminus_wait_seconds_bucket{le=\"0.0025\"} 1"));
  EXPECT_THAT(page, HasSubstr("terminus_build_info{process=\"test\""));
}

TEST(Metrics, SameNameAndLabelsIsTheSameMetric) {
  Registry registry("test");
  Counter& first = registry.AddCounter("terminus_x_total", "X.", {{"a", "1"}});
  EXPECT_EQ(&first, &registry.AddCounter("terminus_x_total", "X.", {{"a", "1"}}));
  EXPECT_NE(&first, &registry.AddCounter("terminus_x_total", "X.", {{"a", "2"}}));
}

double ValueOf(const std::string& page, const std::string& metric) {
  const size_t at = page.find("\n" + metric + " ");
  return at == std::string::npos ? -1 : std::stod(page.substr(at + metric.size() + 2));
}

TEST(Metrics, ProcessIsDescribed) {
  const std::string page = Registry("test").Scrape();
  EXPECT_GT(ValueOf(page, "process_resident_memory_bytes"), 1e6);
  EXPECT_GE(ValueOf(page, "process_open_fds"), 3);
  EXPECT_GE(ValueOf(page, "process_threads"), 1);
  const double start = ValueOf(page, "process_start_time_seconds");
  const double now = absl::ToUnixSeconds(absl::Now());
  EXPECT_NEAR(start, now, 3600);
}

TEST(Metrics, CountBucketsReachTheLargest) {
  EXPECT_EQ(CountBuckets(5), (std::vector<double>{1, 2, 4, 8}));
}

std::string HttpGet(const std::string& address) {
  int port = 0;
  EXPECT_TRUE(absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port));
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t n = read(fd, buffer, sizeof(buffer)); n > 0; n = read(fd, buffer, sizeof(buffer))) {
    answer.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return answer;
}

TEST(Exposer, ServesOnAFreePort) {
  Registry registry("test");
  auto exposer = Exposer::Start("127.0.0.1:0", registry);
  ASSERT_TRUE(exposer.ok()) << exposer.status();
  const std::string answer = HttpGet((*exposer)->address());
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("terminus_build_info"));
  EXPECT_THAT(answer, HasSubstr("process_cpu_seconds_total"));
}

TEST(Exposer, EndsSoon) {
  Registry registry("test");
  for (const char* address : {"127.0.0.1:0", "0.0.0.0:0"}) {
    auto exposer = Exposer::Start(address, registry);
    ASSERT_TRUE(exposer.ok()) << exposer.status();
    const absl::Time start = absl::Now();
    exposer->reset();
    // Left to itself CivetWeb takes two.
    EXPECT_LT(absl::Now() - start, absl::Milliseconds(1500)) << address;
  }
}

TEST(Exposer, TakenPortIsAnError) {
  Registry registry("test");
  auto first = Exposer::Start("127.0.0.1:0", registry);
  ASSERT_TRUE(first.ok());
  auto second = Exposer::Start((*first)->address(), registry);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr((*first)->address()));
}

}  // namespace
}  // namespace terminus::metrics
