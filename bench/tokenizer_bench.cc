// Ours in bench/peers/tokenizers_compare.py: encodes every text of a file on one thread.
//
//     tokenizer_bench TOKENIZER_JSON TEXTS IDS
//
// TEXTS has a JSON string a line; IDS gets a JSON array of ids a line. Prints the seconds that
// encoding took, without reading and writing.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/tokenizer/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: tokenizer_bench TOKENIZER_JSON TEXTS IDS\n");
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
  std::ofstream out(argv[3]);
  for (const auto& one : ids) out << nlohmann::json(one).dump() << '\n';
  std::cout << took.count() << std::endl;
  return out.flush() ? 0 : 1;
}
