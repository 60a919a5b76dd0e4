#include "services/router/dispatch/alarm.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace terminus::services::router::dispatch {
namespace {

TEST(AlarmTest, EarliestTimeCounts) {
  std::promise<void> ticked;
  std::atomic<int> ticks{0};
  Alarm alarm([&] {
    ++ticks;
    ticked.set_value();
    return absl::InfiniteFuture();
  });
  alarm.WakeAt(absl::Now() + absl::Hours(2));
  alarm.WakeAt(absl::Now());
  alarm.WakeAt(absl::Now() + absl::Hours(1));
  EXPECT_EQ(ticked.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_EQ(ticks, 1);
}

TEST(AlarmTest, TicksAgainWhenATickSaysSo) {
  std::promise<void> third;
  int ticks = 0;
  Alarm alarm([&] {
    if (++ticks == 3) third.set_value();
    return ticks < 3 ? absl::InfinitePast() : absl::InfiniteFuture();
  });
  alarm.WakeAt(absl::Now());
  EXPECT_EQ(third.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST(AlarmTest, EndsWhileItWaits) {
  Alarm alarm([] { return absl::InfiniteFuture(); });
  alarm.WakeAt(absl::Now() + absl::Hours(1));
}

}  // namespace
}  // namespace terminus::services::router::dispatch
