#include "services/decoder/edge/stop_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace terminus::services::decoder::edge {
namespace {

// Shows the text in pieces of these sizes, the last one repeated.
struct Outcome {
  std::string shown;
  bool matched = false;
};

Outcome Show(const std::vector<std::string>& stops, const std::string& text, size_t piece) {
  StopMatcher matcher(stops);
  Outcome outcome;
  for (size_t at = 0; at < text.size(); at += piece) {
    outcome.shown += matcher.Push(absl::string_view(text).substr(at, piece));
  }
  outcome.matched = matcher.matched();
  outcome.shown += matcher.Flush();
  return outcome;
}

TEST(StopMatcher, CutsBeforeTheStopHoweverTheTextComes) {
  for (size_t piece = 1; piece <= 20; ++piece) {
    EXPECT_EQ(Show({"END"}, "one two ENDthree", piece).shown, "one two ");
    EXPECT_EQ(Show({"\n\n"}, "a\nb\n\nc", piece).shown, "a\nb");
    EXPECT_EQ(Show({"aab"}, "aaab", piece).shown, "a") << "begins again inside itself";
    EXPECT_EQ(Show({"abc", "b"}, "xabc", piece).shown, "xa") << "the first to be complete";
    EXPECT_EQ(Show({"c", "abc"}, "xabc", piece).shown, "x") << "the longest of those";
    EXPECT_TRUE(Show({"x"}, "x", piece).matched);
  }
}

TEST(StopMatcher, WhatOnlyLooksLikeAStopIsShownInTheEnd) {
  for (size_t piece = 1; piece <= 20; ++piece) {
    const Outcome outcome = Show({"END."}, "THE END", piece);
    EXPECT_EQ(outcome.shown, "THE END");
    EXPECT_FALSE(outcome.matched);
  }
}

TEST(StopMatcher, HoldsBackOnlyWhatMayBecomeAStop) {
  StopMatcher matcher({"END"});
  EXPECT_EQ(matcher.Push("the E"), "the ");
  EXPECT_EQ(matcher.Push("a"), "Ea");
  EXPECT_EQ(matcher.Push("EN"), "");
  EXPECT_EQ(matcher.Push("D tail"), "");
  EXPECT_TRUE(matcher.matched());
  EXPECT_EQ(matcher.Push("more"), "");
  EXPECT_EQ(matcher.Flush(), "");
}

TEST(StopMatcher, WithoutStopsAllGoesThroughAtOnce) {
  StopMatcher matcher({});
  EXPECT_EQ(matcher.Push("abc"), "abc");
  EXPECT_EQ(matcher.Flush(), "");
}

TEST(StopMatcher, NeverShowsAPartOfWhatItCuts) {
  std::mt19937 random(3);
  int matches = 0;
  for (int round = 0; round < 3000; ++round) {
    const auto word = [&random](size_t longest) {
      std::string text;
      for (size_t i = 1 + random() % longest; i > 0; --i) text += "ab"[random() % 2];
      return text;
    };
    const std::vector<std::string> stops = {word(5), word(5)};
    const std::string text = word(30);
    // The plain way: the first end at which some stop is complete.
    std::string expected = text;
    for (size_t end = 1; end <= text.size() && expected == text; ++end) {
      size_t longest = 0;
      for (const std::string& stop : stops) {
        if (end >= stop.size() && text.compare(end - stop.size(), stop.size(), stop) == 0) {
          longest = std::max(longest, stop.size());
        }
      }
      if (longest > 0) expected = text.substr(0, end - longest);
    }
    matches += expected != text;
    for (const size_t piece : {1, 2, 3, 30}) {
      EXPECT_EQ(Show(stops, text, piece).shown, expected) << text << " " << piece;
    }
  }
  EXPECT_GT(matches, 1000);
}

}  // namespace
}  // namespace terminus::services::decoder::edge
