#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "common/collective/communicator.h"

// What every communicator is held to. A test binary links conformance_test.cc and instantiates the
// suite with its back ends.
namespace terminus::collective::conformance {

using Ranks = std::vector<std::unique_ptr<Communicator>>;

// Elements where a back end wants them.
class Elements {
 public:
  virtual ~Elements() = default;
  virtual Buffer buffer() = 0;
  // As raw bytes; Read waits for what is under way.
  virtual void Write(const void* bytes) = 0;
  virtual void Read(void* bytes) = 0;
};

struct BackEnd {
  std::string name;
  int size = 1;
  // Host memory, where each message is accounted for: peers that disagree are found out, a wait can
  // be given up by itself, and a rank may leave alone.
  bool host = true;
  // Why it cannot be tested here, or empty.
  std::function<std::string()> unavailable = [] { return std::string(); };
  // All ranks, each to be used by a thread of its own.
  std::function<absl::StatusOr<Ranks>()> create;
  std::function<std::unique_ptr<Elements>(int rank, weights::DType dtype, int64_t count)> elements;
};

void PrintTo(const BackEnd& back_end, std::ostream* out);

std::string NameOf(const testing::TestParamInfo<BackEnd>& info);

// Elements in host memory.
std::unique_ptr<Elements> HostElements(int rank, weights::DType dtype, int64_t count);

// Long enough for a slow machine under a sanitizer; only a hang reaches it.
inline absl::Time Patience() { return absl::Now() + absl::Seconds(60); }

// The ranks of one world, and what they do.
class Communicators : public testing::TestWithParam<BackEnd> {
 protected:
  void SetUp() override;
  // All leave at once, as ranks do.
  void TearDown() override;

  int size() const { return GetParam().size; }
  Communicator& rank(int number) { return *ranks_[number]; }

  // Runs `body` for each rank on a thread of its own, and returns when all are done.
  void OnEachRank(const std::function<void(Communicator&)>& body);

  template <class T>
  class Typed {
   public:
    Typed(const BackEnd& back_end, int rank, weights::DType dtype, const std::vector<T>& values)
        : elements_(back_end.elements(rank, dtype, static_cast<int64_t>(values.size()))),
          count_(values.size()) {
      elements_->Write(values.data());
    }
    Buffer buffer() { return elements_->buffer(); }
    std::vector<T> values() {
      std::vector<T> values(count_);
      elements_->Read(values.data());
      return values;
    }

   private:
    std::unique_ptr<Elements> elements_;
    size_t count_;
  };

  Typed<int32_t> Ints(const Communicator& communicator, const std::vector<int32_t>& values) {
    return {GetParam(), communicator.rank(), weights::DType::kInt32, values};
  }
  Typed<float> Floats(const Communicator& communicator, const std::vector<float>& values) {
    return {GetParam(), communicator.rank(), weights::DType::kFloat32, values};
  }
  // bfloat16 by their bits.
  Typed<uint16_t> Bfloats(const Communicator& communicator, const std::vector<uint16_t>& values) {
    return {GetParam(), communicator.rank(), weights::DType::kBFloat16, values};
  }

  Ranks ranks_;
};

}  // namespace terminus::collective::conformance
