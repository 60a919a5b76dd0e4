#include <ATen/Parallel.h>

#include <set>

#include "gtest/gtest.h"

namespace terminus::models::kernels {
namespace {

// Compiled without OpenMP, at::parallel_for runs everything on its caller's thread.
TEST(ParallelForTest, TakesAsManyThreadsAsItMay) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::set<int> threads[2];
  at::parallel_for(0, 2, 1, [&](int64_t begin, int64_t end) {
    EXPECT_EQ(end, begin + 1);
    threads[begin].insert(at::get_thread_num());
  });
  EXPECT_EQ(threads[0], std::set<int>{0});
  EXPECT_EQ(threads[1], std::set<int>{1});
  at::set_num_threads(before);
}

}  // namespace
}  // namespace terminus::models::kernels
