// Ours among the contenders of bench/area_decode.py: the bundle's language model, stepped as the
// decoder service steps it, with the line protocol of bench/peers/decoders.py:
//
//     decode_bench --bundle FOLDER --inputs FOLDER --threads N
//
// prints "ready terminus VERSION", then reads lines until its input ends:
//     run BATCH TOKENS          → "ran DECODED SECONDS PROMPT SECONDS": tokens after the first of
//     each
//                                 of the first BATCH prompts, greedily, TOKENS of each; and the
//                                 prompts' tokens up to the first ones
//     tokens BATCH TOKENS       → "made ID …": TOKENS of the first prompt, then of the next, …
//     outputs BATCH FILE        → "wrote ROWS COLUMNS": float32 logits of the first new tokens
// FOLDER/inputs.json of --inputs holds {"prompts": [[token id, …], …]}, all of one length.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "models/bundle/decoder.h"
#include "models/bundle/manifest.h"

namespace terminus::bench {
namespace {

using models::decoder::CausalLm;
using models::decoder::kKvBlockTokens;
using models::decoder::Logits;
using Clock = std::chrono::steady_clock;
using Prompts = std::vector<std::vector<int32_t>>;

constexpr size_t kMaxInputBytes = 16 << 20;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

// Sequences of one length that are stepped together; each has its own run of blocks.
class Generation {
 public:
  Generation(CausalLm& lm, const Prompts& prompts, size_t batch, size_t tokens)
      : lm_(lm), next_(prompts.begin(), prompts.begin() + static_cast<int64_t>(batch)) {
    const size_t longest = prompts[0].size() + tokens;
    blocks_ = static_cast<int>((longest + kKvBlockTokens - 1) / kKvBlockTokens);
  }

  // Feeds what is new and picks the next token of each.
  absl::StatusOr<Logits> Step() {
    std::vector<int32_t> ids, positions, query = {0}, indptr = {0}, indices, last, wanted;
    const int begin = length_;
    length_ += static_cast<int>(next_[0].size());
    const int used = (length_ + kKvBlockTokens - 1) / kKvBlockTokens;
    for (size_t i = 0; i < next_.size(); ++i) {
      for (size_t t = 0; t < next_[i].size(); ++t) {
        ids.push_back(next_[i][t]);
        positions.push_back(begin + static_cast<int>(t));
      }
      query.push_back(static_cast<int32_t>(ids.size()));
      for (int block = 0; block < used; ++block) {
        indices.push_back(static_cast<int>(i) * blocks_ + block);
      }
      indptr.push_back(static_cast<int32_t>(indices.size()));
      last.push_back(length_ - (used - 1) * kKvBlockTokens);
      wanted.push_back(static_cast<int32_t>(ids.size()) - 1);
    }
    TERMINUS_ASSIGN_OR_RETURN(
        const Logits logits,
        lm_.Forward({.token_ids = ids,
                     .positions = positions,
                     .query_indptr = query,
                     .kv = {.indptr = indptr, .indices = indices, .last_page_len = last},
                     .logits_tokens = wanted}));
    for (size_t i = 0; i < next_.size(); ++i) {
      const auto row = logits.values.subspan(i * logits.vocab_size, logits.vocab_size);
      const auto best = std::max_element(row.begin(), row.end());
      next_[i] = {static_cast<int32_t>(best - row.begin())};
    }
    return logits;
  }

  // What each is to be fed next: after a step, the token that it made.
  const Prompts& next() const { return next_; }

 private:
  CausalLm& lm_;
  Prompts next_;
  int blocks_;
  int length_ = 0;
};

absl::StatusOr<std::string> Run(CausalLm& lm, const Prompts& prompts, size_t batch, size_t tokens,
                                double limit_s) {
  Generation generation(lm, prompts, batch, tokens);
  const auto start = Clock::now();
  TERMINUS_RETURN_IF_ERROR(generation.Step().status());
  const auto first = Clock::now();
  size_t made = 1;
  for (; made < tokens && Seconds(Clock::now() - first) < limit_s; ++made) {
    TERMINUS_RETURN_IF_ERROR(generation.Step().status());
  }
  return absl::StrCat("ran ", batch * (made - 1), " ", Seconds(Clock::now() - first), " ",
                      batch * prompts[0].size(), " ", Seconds(first - start));
}

absl::StatusOr<std::string> Tokens(CausalLm& lm, const Prompts& prompts, size_t batch,
                                   size_t tokens) {
  Generation generation(lm, prompts, batch, tokens);
  Prompts made(batch);
  for (size_t i = 0; i < tokens; ++i) {
    TERMINUS_RETURN_IF_ERROR(generation.Step().status());
    for (size_t row = 0; row < batch; ++row) {
      made[row].push_back(generation.next()[row][0]);
    }
  }
  std::string answer = "made";
  for (const std::vector<int32_t>& row : made) {
    absl::StrAppend(&answer, " ", absl::StrJoin(row, " "));
  }
  return answer;
}

absl::StatusOr<std::string> WriteOutputs(CausalLm& lm, const Prompts& prompts, size_t batch,
                                         const std::string& path) {
  Generation generation(lm, prompts, batch, 1);
  TERMINUS_ASSIGN_OR_RETURN(const Logits logits, generation.Step());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(logits.values.data()),
             static_cast<std::streamsize>(logits.values.size() * sizeof(float)));
  if (!file.flush()) {
    return absl::UnavailableError(absl::StrCat("cannot write ", path));
  }
  return absl::StrCat("wrote ", logits.rows, " ", logits.vocab_size);
}

absl::StatusOr<std::string> Answer(CausalLm& lm, const Prompts& prompts, const std::string& line) {
  std::istringstream fields(line);
  std::string command, argument;
  size_t batch = 0;
  double limit_s = 0;
  fields >> command >> batch >> argument >> limit_s;
  if (batch >= 1 && batch <= prompts.size() && command == "run") {
    return Run(lm, prompts, batch, std::stoul(argument), limit_s);
  }
  if (batch >= 1 && batch <= prompts.size() && command == "tokens") {
    return Tokens(lm, prompts, batch, std::stoul(argument));
  }
  if (batch >= 1 && batch <= prompts.size() && command == "outputs") {
    return WriteOutputs(lm, prompts, batch, argument);
  }
  return absl::InvalidArgumentError(absl::StrCat("not a command: ", line));
}

absl::Status Serve(const std::string& bundle, int threads, const std::string& inputs) {
  TERMINUS_ASSIGN_OR_RETURN(const auto manifest, models::bundle::ReadManifest(bundle));
  TERMINUS_ASSIGN_OR_RETURN(const auto model, models::bundle::LoadDecoder(
                                                  manifest, {.device = "cpu", .threads = threads}));
  TERMINUS_ASSIGN_OR_RETURN(const std::string text,
                            base::ReadFile(absl::StrCat(inputs, "/inputs.json"), kMaxInputBytes));
  // The runner wrote it just now: what is wrong with it is our own bug, and may throw.
  const auto prompts = nlohmann::json::parse(text).at("prompts").get<Prompts>();
  std::cout << "ready terminus " << kVersion << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    TERMINUS_ASSIGN_OR_RETURN(const std::string answer, Answer(*model.lm, prompts, line));
    std::cout << answer << std::endl;
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  // What is logged must not come between the lines of the protocol.
  base::InitLog("decode_bench", "warn");
  CLI::App app("Times the bundle's language model, told line by line.", "decode_bench");
  std::string bundle, inputs;
  int threads = 0;
  app.add_option("--bundle", bundle)->required();
  app.add_option("--inputs", inputs)->required();
  app.add_option("--threads", threads)->required()->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  const absl::Status status = Serve(bundle, threads, inputs);
  if (!status.ok()) {
    std::fprintf(stderr, "decode_bench: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
