#include "services/router/edge/content_hash.h"

#include <gtest/gtest.h>
#include <xxhash.h>

#include "absl/strings/str_format.h"

namespace terminus::services::router::edge {
namespace {

v1::Content Text(const std::string& text) {
  v1::Content content;
  content.set_text(text);
  return content;
}

TEST(ContentHashTest, IsXxh3OverKindAndBytes) {
  const std::string whole = "\x01some text";
  const XXH128_hash_t expected = XXH3_128bits(whole.data(), whole.size());
  EXPECT_EQ(ContentHash(Text("some text")),
            absl::StrFormat("%016x%016x", expected.high64, expected.low64));
}

TEST(ContentHashTest, KindsDiffer) {
  v1::Content image;
  image.set_image("abc");
  EXPECT_NE(ContentHash(Text("abc")), ContentHash(image));
  EXPECT_EQ(ContentHash(Text("abc")), ContentHash(Text("abc")));
}

TEST(ContentHashTest, NoKind) { EXPECT_EQ(ContentHash(v1::Content()), ""); }

}  // namespace
}  // namespace terminus::services::router::edge
