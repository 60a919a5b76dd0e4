#include "common/grammar/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "common/grammar/grammar_testing.h"

namespace terminus::grammar {
namespace {

using ::testing::HasSubstr;

Source Regex(const std::string& text) { return {Source::Kind::kRegex, text}; }

// Results as they come; the first wait is for the first result.
class Results {
 public:
  Compiler::Done Take() {
    auto promise = std::make_shared<std::promise<Compiled>>();
    futures_.push_back(promise->get_future());
    return [promise](const Compiled& result) { promise->set_value(result); };
  }
  Compiled Get(size_t call) { return futures_[call].get(); }
  bool Known(size_t call) const {
    return futures_[call].wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

 private:
  std::vector<std::future<Compiled>> futures_;
};

// Stands in for the compilation: sources that begin with "slow" end when they are let go or
// cancelled.
class FakeCompilation {
 public:
  Compiler::Function Function() {
    return [this](const Source& source, const std::atomic<bool>& cancelled) -> Compiled {
      std::unique_lock<std::mutex> lock(mutex_);
      ++started_[source.text];
      changed_.notify_all();
      while (source.text.rfind("slow", 0) == 0 && !let_go_ && !cancelled) {
        changed_.wait_for(lock, std::chrono::milliseconds(1));
      }
      if (cancelled) {
        ++cancelled_;
        changed_.notify_all();
        return absl::CancelledError("cancelled");
      }
      return source.text == "bad" ? Compiled(absl::InvalidArgumentError("bad"))
                                  : testing::CompileRegex("a");
    };
  }
  void LetGo() {
    const std::lock_guard<std::mutex> lock(mutex_);
    let_go_ = true;
  }
  void WaitUntilStarted(const std::string& source) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return started_[source] > 0; });
  }
  void WaitUntilCancelled(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return cancelled_ == count; });
  }
  int Started(const std::string& source) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return started_[source];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> started_;
  int cancelled_ = 0;
  bool let_go_ = false;
};

class CompilerTest : public ::testing::Test {
 protected:
  uint64_t Ask(Compiler& compiler, const std::string& regex,
               absl::Time deadline = absl::InfiniteFuture()) {
    return compiler.Compile(Regex(regex), deadline, results_.Take());
  }

  double Value(const std::string& metric) {
    const std::string text = registry_.Scrape();
    const size_t at = text.find("\n" + metric + " ");
    EXPECT_NE(at, std::string::npos) << metric;
    return std::stod(text.substr(at + metric.size() + 2));
  }

  metrics::Registry registry_{"test"};
  CompilerMetrics metrics_{registry_};
  FakeCompilation fake_;
  Results results_;
};

TEST_F(CompilerTest, CompilesAndKeepsWhatItMadeErrorsToo) {
  Compiler compiler({}, metrics_, fake_.Function());
  for (const char* source : {"a", "a", "bad", "bad"}) {
    Ask(compiler, source);
  }
  EXPECT_TRUE(results_.Get(0).ok());
  EXPECT_TRUE(results_.Get(1).ok());
  EXPECT_EQ(results_.Get(2).status().message(), "bad");
  EXPECT_EQ(results_.Get(3).status().message(), "bad");
  EXPECT_EQ(fake_.Started("a"), 1);
  EXPECT_EQ(fake_.Started("bad"), 1);
  Ask(compiler, "a");
  EXPECT_TRUE(results_.Known(4)) << "what is kept is given at once";
}

TEST_F(CompilerTest, CountsCompilationsAndWhatTheCacheHolds) {
  constexpr char kLookups[] = "terminus_decoder_grammar_cache_lookups_total";
  constexpr char kBytes[] = "terminus_decoder_grammar_cache_bytes";
  {
    Compiler compiler({}, metrics_, fake_.Function());
    for (size_t i = 0; i < 3; ++i) {
      Ask(compiler, i < 2 ? "a" : "bad");
      static_cast<void>(results_.Get(i));
    }
    EXPECT_EQ(Value(std::string(kLookups) + "{result=\"miss\"}"), 2);
    EXPECT_EQ(Value(std::string(kLookups) + "{result=\"hit\"}"), 1);
    EXPECT_EQ(Value("terminus_decoder_grammar_compile_seconds_count"), 2);
    GrammarCache same(1 << 20);
    same.Insert(Regex("a"), testing::CompileRegex("a"));
    same.Insert(Regex("bad"), absl::InvalidArgumentError("bad"));
    EXPECT_EQ(Value(kBytes), static_cast<double>(same.bytes()));
    // Another model's compiler counts into the same metrics.
    Compiler other({}, metrics_, fake_.Function());
    Ask(other, "a");
    static_cast<void>(results_.Get(3));
    EXPECT_GT(Value(kBytes), static_cast<double>(same.bytes()));
  }
  EXPECT_EQ(Value(kBytes), 0);
}

TEST_F(CompilerTest, ASlowOneDelaysNobodyElse) {
  Compiler compiler({.threads = 2}, metrics_, fake_.Function());
  Ask(compiler, "slow");
  fake_.WaitUntilStarted("slow");
  Ask(compiler, "a");
  EXPECT_TRUE(results_.Get(1).ok());
  EXPECT_FALSE(results_.Known(0));
  fake_.LetGo();
  EXPECT_TRUE(results_.Get(0).ok());
}

TEST_F(CompilerTest, EqualSourcesAreCompiledOnce) {
  Compiler compiler({.threads = 2}, metrics_, fake_.Function());
  Ask(compiler, "slow");
  fake_.WaitUntilStarted("slow");
  Ask(compiler, "slow");
  fake_.LetGo();
  EXPECT_TRUE(results_.Get(0).ok());
  EXPECT_EQ(*results_.Get(1) != nullptr, true);
  EXPECT_EQ(fake_.Started("slow"), 1);
}

TEST_F(CompilerTest, OnlySoManyWait) {
  Compiler compiler({.threads = 1, .max_waiting = 2}, metrics_, fake_.Function());
  Ask(compiler, "slow");
  fake_.WaitUntilStarted("slow");
  Ask(compiler, "a");
  Ask(compiler, "b");
  Ask(compiler, "c");
  EXPECT_EQ(results_.Get(3).status().code(), absl::StatusCode::kResourceExhausted);
  Ask(compiler, "b");  // Waits with the other.
  fake_.LetGo();
  EXPECT_TRUE(results_.Get(2).ok());
  EXPECT_TRUE(results_.Get(4).ok());
}

TEST_F(CompilerTest, ADeadlineEndsTheCallAndTheCompilation) {
  Compiler compiler({.threads = 1}, metrics_, fake_.Function());
  Ask(compiler, "a", absl::Now() - absl::Seconds(1));
  EXPECT_EQ(results_.Get(0).status().code(), absl::StatusCode::kDeadlineExceeded);
  Ask(compiler, "slow", absl::Now() + absl::Milliseconds(20));
  EXPECT_EQ(results_.Get(1).status().code(), absl::StatusCode::kDeadlineExceeded);
  Ask(compiler, "a");
  EXPECT_TRUE(results_.Get(2).ok()) << "the thread is free again";
}

TEST_F(CompilerTest, CancelEndsOneCallAndTheLastOneTheCompilation) {
  Compiler compiler({.threads = 1}, metrics_, fake_.Function());
  const uint64_t first = Ask(compiler, "slow");
  fake_.WaitUntilStarted("slow");
  const uint64_t second = Ask(compiler, "slow");
  const uint64_t queued = Ask(compiler, "queued");
  compiler.Cancel(first);
  EXPECT_EQ(results_.Get(0).status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(results_.Known(1));
  compiler.Cancel(queued);
  EXPECT_EQ(results_.Get(2).status().code(), absl::StatusCode::kCancelled);
  compiler.Cancel(second);
  fake_.WaitUntilCancelled(1);
  compiler.Cancel(second);  // Has ended already.
  Ask(compiler, "a");
  EXPECT_TRUE(results_.Get(3).ok());
  EXPECT_EQ(fake_.Started("queued"), 0);
}

TEST_F(CompilerTest, ItsEndEndsEveryCall) {
  {
    Compiler compiler({.threads = 1}, metrics_, fake_.Function());
    Ask(compiler, "slow");
    fake_.WaitUntilStarted("slow");
    Ask(compiler, "a");
  }
  EXPECT_EQ(results_.Get(0).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(results_.Get(1).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(CompilerTest, CompilesOnAStackThatDeepSourcesFit) {
  Compiler compiler({.threads = 1}, metrics_, testing::MakeVocabulary(), {});
  // Each level is a definition of its own, in which the next one stands.
  std::string schema = R"({"$ref": "#/$defs/d0", "$defs": {)";
  for (int i = 0; i < 300; ++i) {
    schema += "\"d" + std::to_string(i) + R"(": {"type": "array", "items": {"$ref": "#/$defs/d)" +
              std::to_string(i + 1) + "\"}}, ";
  }
  schema += R"("d300": {"type": "null"}}})";
  compiler.Compile({Source::Kind::kJsonSchema, schema}, absl::InfiniteFuture(), results_.Take());
  const Compiled result = results_.Get(0);
  EXPECT_TRUE(result.ok()) << result.status();
}

TEST(GrammarCache, EvictsWhatWasUsedLongestAgo) {
  const auto grammar = testing::CompileRegex("a");
  ASSERT_TRUE(grammar.ok()) << grammar.status();
  GrammarCache probe(1 << 30);
  probe.Insert(Regex("1"), *grammar);
  const int64_t each = probe.bytes();
  GrammarCache cache(3 * each);
  for (const char* source : {"1", "2", "3"}) cache.Insert(Regex(source), *grammar);
  EXPECT_TRUE(cache.Find(Regex("1")).has_value());
  cache.Insert(Regex("4"), *grammar);
  EXPECT_FALSE(cache.Find(Regex("2")).has_value());
  for (const char* source : {"1", "3", "4"}) EXPECT_TRUE(cache.Find(Regex(source)).has_value());
  EXPECT_EQ(cache.bytes(), 3 * each);
  cache.Insert(Regex("1"), *grammar);
  EXPECT_EQ(cache.size(), 3u) << "what is there already";
  cache.Insert(Regex(std::string(static_cast<size_t>(4 * each), 'x')), *grammar);
  EXPECT_EQ(cache.size(), 3u) << "what is larger than all";
}

// The kind is a part of what is asked for.
TEST(GrammarCache, EqualTextsOfDifferentKindsAreDifferent) {
  GrammarCache cache(1 << 20);
  cache.Insert({Source::Kind::kRegex, "{}"}, absl::InvalidArgumentError("of the regex"));
  EXPECT_FALSE(cache.Find({Source::Kind::kJsonSchema, "{}"}).has_value());
  EXPECT_EQ(cache.Find({Source::Kind::kRegex, "{}"})->status().message(), "of the regex");
}

}  // namespace
}  // namespace terminus::grammar
