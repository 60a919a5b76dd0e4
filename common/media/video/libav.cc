#include "common/media/video/libav.h"

extern "C" {
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include <mutex>

#include "common/base/errors.h"

namespace terminus::media::video {
namespace {

constexpr size_t kMaxAllocation = size_t{256} << 20;

}  // namespace

void InitLibav() {
  static std::once_flag once;
  std::call_once(once, [] {
    // What counts reaches the client as a status; the rest would fill logs at a client's will.
    av_log_set_callback([](void*, int, const char*, va_list) {});
    av_max_alloc(kMaxAllocation);
  });
}

absl::Status VideoError(absl::string_view reason, absl::string_view message) {
  return base::MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

std::string ErrorText(int code) {
  char text[AV_ERROR_MAX_STRING_SIZE] = {};
  av_strerror(code, text, sizeof(text));
  return text;
}

}  // namespace terminus::media::video
