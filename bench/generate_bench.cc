// Sends Generate calls to a router, on behalf of bench/area_decoder.py:
//
//     generate_bench ADDRESS
//
// prints "ready" once a call has been answered, then reads lines until its input ends:
//     generate COUNT WORDS TOKENS
//         COUNT calls that start together, each with a new prompt of WORDS words, greedy, of TOKENS
//         tokens whatever they are.
//         → "generated TOKENS PROMPT_TOKENS SECONDS", summed over all calls
// A word is one token of the vocabulary that bench/peers/llama_tokenizer.py makes. Any call that
// fails ends the run: a figure of failing calls says nothing.
#include <cstdio>
#include <iostream>
#include <random>
#include <sstream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/channel.h"
#include "tools/loadgen/generate_burst.h"

namespace terminus::bench {
namespace {

constexpr int64_t kMaxMessageBytes = 64 << 20;
constexpr absl::Duration kTimeout = absl::Seconds(100);
// The time for which the router may answer UNAVAILABLE, while its decoder loads.
constexpr absl::Duration kLoadTimeout = absl::Minutes(2);
constexpr absl::Duration kRetryInterval = absl::Milliseconds(100);
// Connections that the calls share.
constexpr int kConnections = 4;
constexpr char kConsonants[] = "bcdfghjklmnpqrstvwxz";
constexpr char kVowels[] = "aeiouy";

class Bench {
 public:
  explicit Bench(const std::string& address) {
    for (int i = 0; i < kConnections; ++i) {
      channels_.push_back(rpc::MakeChannel(address, kMaxMessageBytes));
    }
  }

  absl::Status WaitUntilServed() {
    const absl::Time deadline = absl::Now() + kLoadTimeout;
    while (true) {
      const absl::Status status = Generate(1, 1, 1).status();
      if (!absl::IsUnavailable(status) || absl::Now() > deadline) {
        return status;
      }
      absl::SleepFor(kRetryInterval);
    }
  }

  absl::StatusOr<std::string> Answer(const std::string& line) {
    std::istringstream fields(line);
    std::string command;
    int count = 0, words = 0, tokens = 0;
    if (!(fields >> command >> count >> words >> tokens) || command != "generate" || count < 1 ||
        words < 1 || tokens < 1) {
      return absl::InvalidArgumentError(absl::StrFormat("not a command: %s", line));
    }
    TERMINUS_ASSIGN_OR_RETURN(const tools::loadgen::GenerateReport report,
                              Generate(count, words, tokens));
    return absl::StrFormat("generated %d %d %.6f", report.generated_tokens, report.prompt_tokens,
                           absl::ToDoubleSeconds(report.took));
  }

 private:
  absl::StatusOr<tools::loadgen::GenerateReport> Generate(int count, int words, int tokens) {
    tools::loadgen::GenerateBurst burst{.channels = channels_, .timeout = kTimeout};
    for (int i = 0; i < count; ++i) {
      burst.requests.push_back(MakeRequest(words, tokens));
    }
    return tools::loadgen::RunGenerateBurst(burst);
  }

  v1::GenerateRequest MakeRequest(int words, int tokens) {
    v1::GenerateRequest request;
    v1::Message& message = *request.add_messages();
    message.set_role(v1::ROLE_USER);
    message.add_parts()->set_text(MakeText(words));
    request.mutable_sampling()->set_temperature(0);
    request.mutable_sampling()->set_max_tokens(static_cast<uint32_t>(tokens));
    request.mutable_sampling()->set_ignore_eos(true);
    return request;
  }

  // Never the same text twice: nothing comes from the prefix cache.
  std::string MakeText(int words) {
    std::string text;
    for (int i = 0; i < words; ++i) {
      text += i == 0 ? "" : " ";
      for (int syllable = 0; syllable < 2; ++syllable) {
        text += kConsonants[random_() % (sizeof(kConsonants) - 1)];
        text += kVowels[random_() % (sizeof(kVowels) - 1)];
      }
    }
    return text;
  }

  std::vector<std::shared_ptr<grpc::Channel>> channels_;
  std::mt19937 random_{1};
};

int Main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: generate_bench ADDRESS\n");
    return 2;
  }
  Bench bench(argv[1]);
  if (const absl::Status status = bench.WaitUntilServed(); !status.ok()) {
    std::fprintf(stderr, "generate_bench: %s\n", status.ToString().c_str());
    return 1;
  }
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto answer = bench.Answer(line);
    if (!answer.ok()) {
      std::fprintf(stderr, "generate_bench: %s\n", answer.status().ToString().c_str());
      return 1;
    }
    std::cout << *answer << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
