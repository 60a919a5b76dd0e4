// The bytes of a video; frames are decoded too.
#include <cstdint>
#include <vector>

#include "common/media/video/clip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace terminus::media;
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const video::VideoLimits limits{.max_pixels = 1 << 14, .max_duration = absl::Minutes(10)};
  // Enough for a clip of this size; a lying header may ask for more work than its bytes are worth.
  int steps = 0;
  const auto go_on = [&] {
    return ++steps < 2000 ? absl::OkStatus() : absl::DeadlineExceededError("enough");
  };
  const auto clip = video::Clip::Open(bytes, limits, go_on);
  if (!clip.ok()) return 0;
  if (clip->frame_count() == 0 || clip->duration_us() <= 0) __builtin_trap();
  const auto times = clip->UniformTimes({}, 3);
  if (!times.ok() || times->size() != 3) __builtin_trap();
  std::vector<bool> taken(3);
  const auto shown = clip->Decode(
      *times, {.go_on = go_on}, [&](absl::Span<const size_t> places, const Image& frame) {
        // The limits hold for what comes out, whatever the headers say.
        const int64_t pixels = static_cast<int64_t>(frame.width) * frame.height;
        if (pixels <= 0 || pixels > limits.max_pixels ||
            static_cast<int64_t>(frame.rgb.size()) != 3 * pixels) {
          __builtin_trap();
        }
        for (const size_t place : places) taken.at(place) = true;
      });
  if (!shown.ok()) return 0;
  for (size_t i = 0; i < 3; ++i) {
    if (!taken[i] || (*shown)[i] < 0 || (i > 0 && (*shown)[i] < (*shown)[i - 1])) __builtin_trap();
  }
  return 0;
}
