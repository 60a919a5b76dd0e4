#include "services/router/cache/encoded_cache.h"

#include <gtest/gtest.h>

namespace terminus::services::router::cache {
namespace {

EncodedCache::Value Result(size_t bytes) {
  auto result = std::make_shared<v1::EncodeResult>();
  result->mutable_vector()->set_data(std::string(bytes, 'x'));
  return result;
}

class EncodedCacheTest : public ::testing::Test {
 protected:
  metrics::Registry registry_{"test"};
};

TEST_F(EncodedCacheTest, FindsWhatWasInserted) {
  EncodedCache cache(1 << 20, registry_);
  EXPECT_EQ(cache.Find("a"), nullptr);
  const auto value = Result(100);
  cache.Insert("a", value);
  EXPECT_EQ(cache.Find("a"), value);
  EXPECT_EQ(cache.Find("b"), nullptr);
  const std::string scrape = registry_.Scrape();
  EXPECT_NE(scrape.find("lookups_total{result=\"hit\"} 1"), std::string::npos) << scrape;
  EXPECT_NE(scrape.find("lookups_total{result=\"miss\"} 2"), std::string::npos) << scrape;
}

TEST_F(EncodedCacheTest, WhatWasNotUsedForLongestGoesFirst) {
  EncodedCache cache(4000, registry_);
  cache.Insert("a", Result(1000));
  cache.Insert("b", Result(1000));
  cache.Insert("c", Result(1000));
  EXPECT_NE(cache.Find("a"), nullptr);
  cache.Insert("d", Result(1000));
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_NE(cache.Find("a"), nullptr);
  EXPECT_NE(cache.Find("c"), nullptr);
  EXPECT_NE(cache.Find("d"), nullptr);
  EXPECT_LE(cache.bytes(), 4000);
}

TEST_F(EncodedCacheTest, ReplacingDoesNotCountTwice) {
  EncodedCache cache(1 << 20, registry_);
  cache.Insert("a", Result(1000));
  const int64_t once = cache.bytes();
  cache.Insert("a", Result(1000));
  EXPECT_EQ(cache.bytes(), once);
}

TEST_F(EncodedCacheTest, TooLargeIsNotKeptAndDrivesNothingOut) {
  EncodedCache cache(4000, registry_);
  cache.Insert("a", Result(1000));
  cache.Insert("b", Result(10000));
  EXPECT_EQ(cache.Find("b"), nullptr);
  EXPECT_NE(cache.Find("a"), nullptr);
}

TEST_F(EncodedCacheTest, NoBytesKeepNothing) {
  EncodedCache cache(0, registry_);
  cache.Insert("a", Result(1));
  EXPECT_EQ(cache.Find("a"), nullptr);
  EXPECT_EQ(cache.bytes(), 0);
}

TEST_F(EncodedCacheTest, KeyTellsWhatTheAnswerDependsOn) {
  v1::EncodeItem item;
  const std::string plain = EncodedCache::KeyOf("hash", "space", item);
  EXPECT_NE(plain, EncodedCache::KeyOf("other", "space", item));
  EXPECT_NE(plain, EncodedCache::KeyOf("hash", "other", item));
  item.set_per_frame(true);
  const std::string frames = EncodedCache::KeyOf("hash", "space", item);
  EXPECT_NE(plain, frames);
  item.set_prompt_name("query");
  EXPECT_NE(frames, EncodedCache::KeyOf("hash", "space", item));
}

}  // namespace
}  // namespace terminus::services::router::cache
