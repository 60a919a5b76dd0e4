// The conformance suite on GPUs, as many as there are.

#include "common/base/check.h"
#include "common/collective/conformance_test.h"
#include "common/collective/factory.h"
#include "common/collective/socket/testing.h"
#include "common/gpu/library.h"

namespace terminus::collective::conformance {
namespace {

// On the GPU of its rank, in a stream of its own.
class OnDevice : public Elements {
 public:
  OnDevice(const TerminusGpuApi& gpu, int device, weights::DType dtype, int64_t count)
      : gpu_(gpu), device_(device) {
    gpu_.set_device(device_);
    buffer_ = {.count = count, .dtype = dtype, .memory = Memory::kCuda};
    TERMINUS_CHECK(gpu_.create_stream(&buffer_.stream) == 0);
    TERMINUS_CHECK(gpu_.allocate(buffer_.bytes() + 1, &buffer_.data) == 0);
    TERMINUS_CHECK(gpu_.create_event(&done_) == 0);
  }
  ~OnDevice() override {
    gpu_.set_device(device_);
    gpu_.release(buffer_.data);
    gpu_.destroy_event(done_);
    gpu_.destroy_stream(buffer_.stream);
  }
  Buffer buffer() override { return buffer_; }
  void Write(const void* bytes) override { Copy(buffer_.data, bytes); }
  void Read(void* bytes) override { Copy(bytes, buffer_.data); }

 private:
  void Copy(void* to, const void* from) {
    gpu_.set_device(device_);
    TERMINUS_CHECK(gpu_.copy(to, from, buffer_.bytes(), buffer_.stream) == 0);
    TERMINUS_CHECK(gpu_.record_event(done_, buffer_.stream) == 0);
    int state = -1;
    while (state == -1) {
      state = gpu_.query_event(done_);
    }
    TERMINUS_CHECK(state == 0);
  }

  const TerminusGpuApi& gpu_;
  const int device_;
  Buffer buffer_;
  void* done_ = nullptr;
};

BackEnd Nccl(int size) {
  return {
      .name = "Nccl",
      .size = size,
      .host = false,
      .unavailable =
          [size] {
            const auto device = gpu::FindDevice(size - 1);
            return device.ok() ? std::string() : std::string(device.status().message());
          },
      .create = [size]() -> absl::StatusOr<Ranks> {
        return socket::CreateAll({.size = size, .address = socket::FreeTcpAddress()},
                                 [](Options options, absl::Time deadline) {
                                   options.device = options.rank;
                                   return CreateNccl(options, deadline);
                                 });
      },
      .elements = [](int rank, weights::DType dtype, int64_t count) -> std::unique_ptr<Elements> {
        return std::make_unique<OnDevice>(**gpu::LoadLibrary(), rank, dtype, count);
      }};
}

INSTANTIATE_TEST_SUITE_P(Gpu, Communicators, testing::Values(Nccl(1), Nccl(2), Nccl(4)), NameOf);

TEST(CreateNccl, SaysWhatIsMissing) {
  const auto refused = CreateNccl({.device = 4711}, absl::Now());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
}

}  // namespace
}  // namespace terminus::collective::conformance
