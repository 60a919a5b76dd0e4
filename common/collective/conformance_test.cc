#include "common/collective/conformance_test.h"

#include <gmock/gmock.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/tensor/half.h"

namespace terminus::collective::conformance {
namespace {

using testing::AnyOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

// Nothing, one, odd, a whole packet, and more than what is summed in one piece (64 KiB).
constexpr int64_t kCounts[] = {0, 1, 3, 255, 1024, 16385, 100'003};
// More than the kernel keeps for a socket.
constexpr int64_t kManyElements = 2'000'001;

class InHostMemory : public Elements {
 public:
  InHostMemory(weights::DType dtype, int64_t count)
      : bytes_(count * weights::ElementSize(dtype)), count_(count), dtype_(dtype) {}
  Buffer buffer() override { return {.data = bytes_.data(), .count = count_, .dtype = dtype_}; }
  void Write(const void* bytes) override { Copy(bytes_.data(), bytes); }
  void Read(void* bytes) override { Copy(bytes, bytes_.data()); }

 private:
  void Copy(void* to, const void* from) {
    if (!bytes_.empty()) {
      std::memcpy(to, from, bytes_.size());
    }
  }
  std::vector<char> bytes_;
  int64_t count_;
  weights::DType dtype_;
};

// A value that differs by rank and place, small enough for sums to be exact in bfloat16 too.
int32_t Value(int rank, int64_t index) { return static_cast<int32_t>(index % 13) + rank + 1; }

std::vector<int32_t> Values(int rank, int64_t count) {
  std::vector<int32_t> values(count);
  for (int64_t i = 0; i < count; ++i) {
    values[i] = Value(rank, i);
  }
  return values;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

void PrintTo(const BackEnd& back_end, std::ostream* out) {
  *out << back_end.name << " of " << back_end.size;
}

std::string NameOf(const testing::TestParamInfo<BackEnd>& info) {
  return absl::StrCat(info.param.name, "_", info.param.size);
}

std::unique_ptr<Elements> HostElements(int /*rank*/, weights::DType dtype, int64_t count) {
  return std::make_unique<InHostMemory>(dtype, count);
}

void Communicators::SetUp() {
  if (const std::string why = GetParam().unavailable(); !why.empty()) {
    GTEST_SKIP() << why;
  }
  auto ranks = GetParam().create();
  ASSERT_TRUE(ranks.ok()) << ranks.status();
  ranks_ = *std::move(ranks);
  ASSERT_EQ(static_cast<int>(ranks_.size()), size());
}

void Communicators::TearDown() {
  std::vector<std::thread> threads;
  for (auto& rank : ranks_) {
    threads.emplace_back([&rank] { rank.reset(); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

void Communicators::OnEachRank(const std::function<void(Communicator&)>& body) {
  std::vector<std::thread> threads;
  for (auto& rank : ranks_) {
    if (rank != nullptr) {
      threads.emplace_back([&body, &rank] { body(*rank); });
    }
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST_P(Communicators, KnowTheirPlace) {
  for (int i = 0; i < size(); ++i) {
    EXPECT_EQ(rank(i).rank(), i);
    EXPECT_EQ(rank(i).size(), size());
  }
}

TEST_P(Communicators, PassARing) {
  if (size() == 1) {
    GTEST_SKIP() << "a rank sends nothing to itself";
  }
  std::vector<int64_t> counts(std::begin(kCounts), std::end(kCounts));
  counts.push_back(kManyElements);
  for (const int64_t count : counts) {
    OnEachRank([&](Communicator& self) {
      const int to = (self.rank() + 1) % size();
      const int from = (self.rank() + size() - 1) % size();
      auto out = Ints(self, Values(self.rank(), count));
      auto in = Ints(self, std::vector<int32_t>(count, -1));
      ASSERT_TRUE(self.SendRecv(out.buffer(), to, in.buffer(), from, Patience()).ok());
      ASSERT_TRUE(self.Finish(in.buffer().stream, Patience()).ok());
      EXPECT_EQ(in.values(), Values(from, count));
    });
  }
}

TEST_P(Communicators, DeliverInOrder) {
  if (size() == 1) {
    GTEST_SKIP() << "a rank sends nothing to itself";
  }
  // Of different sizes, so that one taken for another would show.
  constexpr int kMessages = 20;
  OnEachRank([&](Communicator& self) {
    if (self.rank() > 1) {
      return;
    }
    std::vector<std::unique_ptr<Work>> works;
    std::vector<Typed<int32_t>> buffers;
    for (int i = 0; i < kMessages; ++i) {
      buffers.push_back(self.rank() == 0 ? Ints(self, Values(i, 1000 * i))
                                         : Ints(self, std::vector<int32_t>(1000 * i, -1)));
    }
    for (auto& buffer : buffers) {
      auto work = self.rank() == 0 ? self.Send(buffer.buffer(), 1) : self.Recv(buffer.buffer(), 0);
      ASSERT_TRUE(work.ok()) << work.status();
      works.push_back(*std::move(work));
    }
    for (auto& work : works) {
      ASSERT_TRUE(work->Wait(Patience()).ok());
      ASSERT_TRUE(work->Wait(Patience()).ok()) << "a second time";
    }
    for (int i = 0; self.rank() == 1 && i < kMessages; ++i) {
      EXPECT_EQ(buffers[i].values(), Values(i, 1000 * i)) << i;
    }
  });
}

TEST_P(Communicators, SumInt32) {
  for (const int64_t count : kCounts) {
    OnEachRank([&](Communicator& self) {
      auto data = Ints(self, Values(self.rank(), count));
      ASSERT_TRUE(self.AllReduceSum(data.buffer(), Patience()).ok());
      ASSERT_TRUE(self.Finish(data.buffer().stream, Patience()).ok());
      std::vector<int32_t> expected(count);
      for (int rank = 0; rank < size(); ++rank) {
        for (int64_t i = 0; i < count; ++i) {
          expected[i] += Value(rank, i);
        }
      }
      EXPECT_EQ(data.values(), expected);
    });
  }
}

TEST_P(Communicators, SumFloat32AndBfloat16) {
  for (const int64_t count : kCounts) {
    OnEachRank([&](Communicator& self) {
      std::vector<float> floats(count), expected(count);
      std::vector<uint16_t> bits(count), expected_bits(count);
      for (int64_t i = 0; i < count; ++i) {
        floats[i] = 0.5f * Value(self.rank(), i);
        bits[i] = tensor::FloatToBfloat16(floats[i]);
        for (int rank = 0; rank < size(); ++rank) {
          expected[i] += 0.5f * Value(rank, i);
        }
        expected_bits[i] = tensor::FloatToBfloat16(expected[i]);
      }
      auto single = Floats(self, floats);
      auto half = Bfloats(self, bits);
      ASSERT_TRUE(self.AllReduceSum(single.buffer(), Patience()).ok());
      ASSERT_TRUE(self.AllReduceSum(half.buffer(), Patience()).ok());
      ASSERT_TRUE(self.Finish(half.buffer().stream, Patience()).ok());
      EXPECT_EQ(single.values(), expected);
      EXPECT_EQ(half.values(), expected_bits);
    });
  }
}

TEST_P(Communicators, BroadcastFromEachRoot) {
  for (int root = 0; root < size(); ++root) {
    for (const int64_t count : kCounts) {
      OnEachRank([&](Communicator& self) {
        auto data = self.rank() == root ? Ints(self, Values(root, count))
                                        : Ints(self, std::vector<int32_t>(count, -1));
        ASSERT_TRUE(self.Broadcast(data.buffer(), root, Patience()).ok());
        ASSERT_TRUE(self.Finish(data.buffer().stream, Patience()).ok());
        EXPECT_EQ(data.values(), Values(root, count));
      });
    }
  }
}

TEST_P(Communicators, GatherAllParts) {
  for (const int64_t count : kCounts) {
    OnEachRank([&](Communicator& self) {
      auto part = Ints(self, Values(self.rank(), count));
      auto whole = Ints(self, std::vector<int32_t>(count * size(), -1));
      // Both in one stream, as the operation wants them.
      Buffer mine = part.buffer();
      mine.stream = whole.buffer().stream;
      ASSERT_TRUE(self.AllGather(mine, whole.buffer(), Patience()).ok());
      ASSERT_TRUE(self.Finish(whole.buffer().stream, Patience()).ok());
      std::vector<int32_t> expected;
      for (int rank = 0; rank < size(); ++rank) {
        const std::vector<int32_t> of_rank = Values(rank, count);
        expected.insert(expected.end(), of_rank.begin(), of_rank.end());
      }
      EXPECT_EQ(whole.values(), expected);
    });
  }
}

TEST_P(Communicators, MixOperations) {
  OnEachRank([&](Communicator& self) {
    for (int round = 0; round < 20; ++round) {
      auto data = Ints(self, {self.rank() + round});
      ASSERT_TRUE(self.AllReduceSum(data.buffer(), Patience()).ok());
      ASSERT_TRUE(self.Broadcast(data.buffer(), round % size(), Patience()).ok());
      ASSERT_TRUE(self.Barrier(Patience()).ok());
      ASSERT_TRUE(self.Finish(data.buffer().stream, Patience()).ok());
      EXPECT_THAT(data.values(), ElementsAre(size() * round + size() * (size() - 1) / 2));
    }
  });
}

TEST_P(Communicators, BarrierHoldsUntilTheLastComes) {
  std::vector<int> arrived(size(), 0);
  OnEachRank([&](Communicator& self) {
    for (int round = 1; round <= 50; ++round) {
      // Written before the barrier, read by all after it: ThreadSanitizer would see a gap.
      arrived[self.rank()] = round;
      ASSERT_TRUE(self.Barrier(Patience()).ok());
      EXPECT_THAT(arrived, Each(round));
      ASSERT_TRUE(self.Barrier(Patience()).ok());
    }
  });
}

TEST_P(Communicators, RefuseWrongArgumentsAndGoOn) {
  OnEachRank([&](Communicator& self) {
    auto data = Ints(self, {1, 2});
    Buffer buffer = data.buffer();
    const auto expect_refused = [](const absl::Status& status, const std::string& why) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      EXPECT_THAT(Message(status), HasSubstr(why));
    };
    expect_refused(self.Send(buffer, self.rank()).status(), "another rank");
    expect_refused(self.Recv(buffer, size()).status(), "another rank");
    expect_refused(self.Recv(buffer, -1).status(), "another rank");
    expect_refused(self.Broadcast(buffer, size(), Patience()), "root");
    Buffer whole = buffer;
    whole.count = 2 * size() - 1;
    expect_refused(self.AllGather(buffer, whole, Patience()), "parts");
    buffer.count = -1;
    expect_refused(self.AllReduceSum(buffer, Patience()), "at least 0");
    buffer.count = int64_t{1} << 40;
    expect_refused(self.AllReduceSum(buffer, Patience()), "limit");
    buffer = data.buffer();
    buffer.dtype = weights::DType::kInt8;
    expect_refused(self.AllReduceSum(buffer, Patience()), "expected float32, bfloat16 or int32");
    buffer = data.buffer();
    buffer.data = nullptr;
    expect_refused(self.AllReduceSum(buffer, Patience()), "without data");
    buffer = data.buffer();
    buffer.memory = buffer.memory == Memory::kCpu ? Memory::kCuda : Memory::kCpu;
    expect_refused(self.AllReduceSum(buffer, Patience()), "memory");
    ASSERT_TRUE(self.AllReduceSum(data.buffer(), Patience()).ok());
    ASSERT_TRUE(self.Finish(data.buffer().stream, Patience()).ok());
  });
}

TEST_P(Communicators, SeeThatPeersDisagree) {
  if (size() == 1 || !GetParam().host) {
    GTEST_SKIP() << "nobody to disagree with, or not seen";
  }
  OnEachRank([&](Communicator& self) {
    auto data = Ints(self, std::vector<int32_t>(self.rank() == 0 ? 8 : 9, 1));
    const absl::Status status = self.AllReduceSum(data.buffer(), Patience());
    EXPECT_THAT(status.code(),
                AnyOf(absl::StatusCode::kInvalidArgument, absl::StatusCode::kUnavailable));
    if (size() == 2) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      EXPECT_THAT(Message(status), HasSubstr("int32[8] of AllReduceSum"));
      EXPECT_THAT(Message(status), HasSubstr("int32[9] of AllReduceSum"));
    }
    // For good.
    EXPECT_EQ(self.Barrier(Patience()), status);
  });
}

TEST_P(Communicators, SeeThatOperationsOrTypesDisagree) {
  if (size() != 2 || !GetParam().host) {
    GTEST_SKIP() << "of two ranks that see it";
  }
  OnEachRank([&](Communicator& self) {
    auto ints = Ints(self, {1});
    auto floats = Floats(self, {1});
    const absl::Status status = self.rank() == 0 ? self.AllReduceSum(ints.buffer(), Patience())
                                                 : self.AllReduceSum(floats.buffer(), Patience());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(Message(status), HasSubstr("float32[1] of AllReduceSum"));
  });
  auto ranks = GetParam().create();
  ASSERT_TRUE(ranks.ok()) << ranks.status();
  ranks_ = *std::move(ranks);
  OnEachRank([&](Communicator& self) {
    auto ints = Ints(self, {1});
    const absl::Status status = self.rank() == 0 ? self.AllReduceSum(ints.buffer(), Patience())
                                                 : self.Broadcast(ints.buffer(), 0, Patience());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(Message(status), HasSubstr("Broadcast"));
  });
}

TEST_P(Communicators, ADeadlineEndsTheWaitOfAll) {
  if (size() == 1 || !GetParam().host) {
    GTEST_SKIP() << "nobody to wait for";
  }
  OnEachRank([&](Communicator& self) {
    auto data = Ints(self, {1});
    if (self.rank() == 0) {
      // Nobody sends it.
      auto work = self.Recv(data.buffer(), 1);
      ASSERT_TRUE(work.ok()) << work.status();
      const absl::Status status = (*work)->Wait(absl::InfinitePast());
      EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded) << status;
      EXPECT_THAT(Message(status), HasSubstr("receive message 0 from rank 1, int32[1] of Send"));
    } else {
      const absl::Status status = self.Broadcast(data.buffer(), 0, Patience());
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
      EXPECT_THAT(Message(status), HasSubstr("rank 0"));
    }
  });
}

TEST_P(Communicators, AbortEndsTheWaitOfAll) {
  if (!GetParam().host) {
    GTEST_SKIP() << "a rank alone waits for nobody";
  }
  OnEachRank([&](Communicator& self) {
    auto data = Ints(self, {1});
    if (self.rank() == 0) {
      // Whether it comes before the wait or during it, the end is one.
      std::thread other([&] { self.Abort("shutting down"); });
      absl::Status status;
      if (size() > 1) {
        auto work = self.Recv(data.buffer(), 1);  // Nobody sends it.
        status = work.ok() ? (*work)->Wait(Patience()) : work.status();
      }
      other.join();
      if (size() == 1) {
        status = self.Barrier(Patience());
      }
      EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
      EXPECT_THAT(Message(status), HasSubstr("shutting down"));
    } else {
      // Rank 0 never gets here.
      const absl::Status status = self.Broadcast(data.buffer(), 0, Patience());
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
      EXPECT_THAT(Message(status), HasSubstr("shutting down"));
    }
  });
}

TEST_P(Communicators, ARankThatLeavesTooEarlyEndsTheWaitOfAll) {
  if (size() == 1) {
    GTEST_SKIP() << "nobody to leave";
  }
  ranks_[0].reset();
  OnEachRank([&](Communicator& self) {
    auto data = Ints(self, {1});
    absl::Status status = self.AllReduceSum(data.buffer(), Patience());
    if (status.ok()) {
      status = self.Finish(data.buffer().stream, Patience());
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_THAT(Message(status), HasSubstr("rank 0"));
  });
}

TEST_P(Communicators, ARankThatIsDoneMayLeave) {
  if (size() < 3 || !GetParam().host) {
    GTEST_SKIP() << "nobody to go on";
  }
  OnEachRank([&](Communicator& self) {
    auto data = Ints(self, {1});
    ASSERT_TRUE(self.AllReduceSum(data.buffer(), Patience()).ok());
    ASSERT_TRUE(self.Finish(data.buffer().stream, Patience()).ok());
  });
  ranks_.back().reset();
  OnEachRank([&](Communicator& self) {
    auto data = Ints(self, {self.rank()});
    if (self.rank() == 0) {
      auto work = self.Send(data.buffer(), 1);
      ASSERT_TRUE(work.ok()) << work.status();
      EXPECT_TRUE((*work)->Wait(Patience()).ok());
    } else if (self.rank() == 1) {
      auto work = self.Recv(data.buffer(), 0);
      ASSERT_TRUE(work.ok()) << work.status();
      EXPECT_TRUE((*work)->Wait(Patience()).ok());
      EXPECT_THAT(data.values(), ElementsAre(0));
    }
  });
}

TEST_P(Communicators, AnUnfinishedWorkThatIsDroppedLetsGoOfItsBuffer) {
  if (size() == 1 || !GetParam().host) {
    GTEST_SKIP() << "of host memory";
  }
  auto data = Ints(rank(0), {1});
  {
    auto work = rank(0).Recv(data.buffer(), 1);
    ASSERT_TRUE(work.ok()) << work.status();
  }
  EXPECT_EQ(rank(0).Finish(nullptr, Patience()).code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_P(Communicators, TooMuchUnderWayIsRefused) {
  if (size() == 1 || !GetParam().host) {
    GTEST_SKIP() << "of host memory";
  }
  auto data = Ints(rank(0), {1});
  std::vector<std::unique_ptr<Work>> works;
  absl::Status status;
  for (int i = 0; i <= kMaxOutstanding && status.ok(); ++i) {
    auto work = rank(0).Recv(data.buffer(), 1);
    status = work.status();
    if (work.ok()) {
      works.push_back(*std::move(work));
    }
  }
  EXPECT_EQ(static_cast<int>(works.size()), kMaxOutstanding);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
}

}  // namespace terminus::collective::conformance
