// Ours in bench/peers/tokenizers_compare.py: encodes every text of a file on one thread.
//
//     tokenizer_bench TOKENIZER_JSON TEXTS IDS DECODED
//
// TEXTS has a JSON string a line; IDS gets a JSON array of ids a line, DECODED the text that these
// stand for, which must be the same whole and id by id. Prints the seconds that encoding took,
// without reading and writing.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/tokenizer/incremental_decoder.h"
#include "common/tokenizer/tokenizer.h"

namespace {

using terminus::tokenizer::IncrementalDecoder;
using terminus::tokenizer::Tokenizer;

absl::StatusOr<std::string> DecodeBothWays(const Tokenizer& tokenizer,
                                           const std::vector<int32_t>& ids) {
  const auto whole = tokenizer.Decode(ids, /*skip_special_tokens=*/true);
  if (!whole.ok()) return whole;
  IncrementalDecoder decoder(&tokenizer);
  std::string pieces;
  for (const int32_t id : ids) pieces += decoder.Push(id).value_or("");
  pieces += decoder.Flush();
  if (pieces != *whole) return absl::InternalError("id by id the text is another: " + pieces);
  return whole;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: tokenizer_bench TOKENIZER_JSON TEXTS IDS DECODED\n");
    return 2;
  }
  const auto tokenizer = Tokenizer::Load(argv[1]);
  if (!tokenizer.ok()) {
    std::fprintf(stderr, "tokenizer_bench: %s\n", tokenizer.status().ToString().c_str());
    return 1;
  }
  std::vector<std::string> texts;
  std::ifstream in(argv[2]);
  for (std::string line; std::getline(in, line);) {
    texts.push_back(nlohmann::json::parse(line).get<std::string>());
  }
  std::vector<std::vector<int32_t>> ids;
  ids.reserve(texts.size());
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& text : texts) {
    auto encoding = (*tokenizer)->Encode(text);
    if (!encoding.ok()) {
      std::fprintf(stderr, "tokenizer_bench: %s\n", encoding.status().ToString().c_str());
      return 1;
    }
    ids.push_back(std::move(encoding->ids));
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::ofstream out(argv[3]);
  std::ofstream decoded(argv[4]);
  for (const auto& one : ids) {
    out << nlohmann::json(one).dump() << '\n';
    const auto text = DecodeBothWays(**tokenizer, one);
    if (!text.ok()) {
      std::fprintf(stderr, "tokenizer_bench: %s\n", text.status().ToString().c_str());
      return 1;
    }
    decoded << nlohmann::json(*text).dump() << '\n';
  }
  std::cout << took.count() << std::endl;
  return out.flush() && decoded.flush() ? 0 : 1;
}
