#include "services/router/edge/content_hash.h"

#include <xxhash.h>

#include <cstdint>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace terminus::services::router::edge {
namespace {

std::string Hash(v1::Content::KindCase kind, absl::string_view bytes, absl::string_view more = "") {
  thread_local const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> owner(
      XXH3_createState(), &XXH3_freeState);
  XXH3_state_t* const state = owner.get();
  XXH3_128bits_reset(state);
  const auto kind_byte = static_cast<uint8_t>(kind);
  XXH3_128bits_update(state, &kind_byte, 1);
  XXH3_128bits_update(state, bytes.data(), bytes.size());
  XXH3_128bits_update(state, more.data(), more.size());
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(canonical.digest), sizeof(canonical.digest)));
}

}  // namespace

std::string ContentHash(const v1::Content& content) {
  switch (content.kind_case()) {
    case v1::Content::kText:
      return Hash(content.kind_case(), content.text());
    case v1::Content::kImage:
      return Hash(content.kind_case(), content.image());
    case v1::Content::kVideo: {
      const v1::Video& video = content.video();
      return Hash(content.kind_case(), video.data(),
                  absl::StrCat(video.start_us(), " ", video.end_us(), " ", video.frames()));
    }
    case v1::Content::kEmbedding:
      return Hash(content.kind_case(), content.embedding().data());
    case v1::Content::KIND_NOT_SET:
      break;
  }
  return "";
}

}  // namespace terminus::services::router::edge
