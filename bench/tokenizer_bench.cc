// Ours in bench/peers/time_tokenizers.py: encodes every text of a file on one thread.
//
//     tokenizer_bench TOKENIZER_JSON TEXTS
//
// TEXTS has a JSON string a line. Prints the seconds that encoding took, without reading, and the
// number of tokens, as a JSON object.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/tokenizer/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: tokenizer_bench TOKENIZER_JSON TEXTS\n");
    return 2;
  }
  const auto tokenizer = terminus::tokenizer::Tokenizer::Load(argv[1]);
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
  size_t tokens = 0;
  for (const auto& one : ids) tokens += one.size();
  std::cout << nlohmann::json({{"seconds", took.count()}, {"tokens", tokens}}) << std::endl;
  return 0;
}
