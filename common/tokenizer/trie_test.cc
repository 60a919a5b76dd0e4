#include "common/tokenizer/trie.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace terminus::tokenizer {
namespace {

Trie MakeTrie(const std::map<std::string, int32_t>& keys) {
  std::vector<Trie::Entry> entries;
  for (const auto& [key, value] : keys) entries.push_back({.key = key, .value = value});
  return Trie(entries);
}

TEST(TrieTest, EmptyFindsNothing) {
  const Trie trie = MakeTrie({});
  EXPECT_EQ(trie.LongestMatch(Trie::kRoot, "abc").length, 0u);
  EXPECT_FALSE(trie.Walk(Trie::kRoot, "a").has_value());
  EXPECT_EQ(trie.Walk(Trie::kRoot, ""), Trie::kRoot);
  EXPECT_FALSE(trie.ValueOf(Trie::kRoot).has_value());
}

TEST(TrieTest, LongestOfNestedKeys) {
  const Trie trie = MakeTrie({{"a", 1}, {"abc", 2}, {"##", 3}, {"##b", 4}});
  EXPECT_EQ(trie.LongestMatch(Trie::kRoot, "abd").length, 1u);
  EXPECT_EQ(trie.LongestMatch(Trie::kRoot, "abcd").value, 2);
  EXPECT_EQ(trie.LongestMatch(Trie::kRoot, "x").length, 0u);
  const auto rest = trie.Walk(Trie::kRoot, "##");
  ASSERT_TRUE(rest.has_value());
  EXPECT_EQ(trie.ValueOf(*rest), 3);
  EXPECT_EQ(trie.LongestMatch(*rest, "bc").value, 4);
  EXPECT_EQ(trie.LongestMatch(*rest, "c").length, 0u);
}

// Any bytes, compared with a map that is asked for every prefix.
TEST(TrieTest, SameAsAMap) {
  std::mt19937 random(7);
  for (const int alphabet : {2, 20, 256}) {
    const auto text = [&](size_t length) {
      std::string bytes(length, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random() % alphabet);
      return bytes;
    };
    std::map<std::string, int32_t> keys;
    for (int i = 0; i < 3000; ++i) keys[text(1 + random() % 9)] = i;
    const Trie trie = MakeTrie(keys);
    for (const auto& [key, value] : keys) {
      const auto node = trie.Walk(Trie::kRoot, key);
      ASSERT_TRUE(node.has_value());
      ASSERT_EQ(trie.ValueOf(*node), value);
    }
    for (int i = 0; i < 3000; ++i) {
      const std::string query = text(random() % 14);
      Trie::Match expected;
      for (size_t length = 1; length <= query.size(); ++length) {
        if (const auto key = keys.find(query.substr(0, length)); key != keys.end()) {
          expected = {.length = length, .value = key->second};
        }
      }
      const Trie::Match match = trie.LongestMatch(Trie::kRoot, query);
      ASSERT_EQ(match.length, expected.length);
      ASSERT_EQ(match.value, expected.value);
    }
  }
}

}  // namespace
}  // namespace terminus::tokenizer
