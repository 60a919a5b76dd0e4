#include "models/decoder/cuda/product_table.h"

#include <sstream>

namespace terminus::models::decoder::cuda {
namespace {

constexpr char kFormat[] = "terminus products 1";
constexpr char kSum[] = "sum ";

// FNV-1a.
uint64_t SumOf(const std::string& text) {
  uint64_t sum = 14695981039346656037u;
  for (const char c : text) {
    sum = (sum ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return sum;
}

bool IsOutput(int output) {
  return output >= static_cast<int>(ProductOutput::kBf16) &&
         output <= static_cast<int>(ProductOutput::kGated);
}

bool IsMethod(int method) {
  return method >= static_cast<int>(ProductMethod::kCublas) &&
         method <= static_cast<int>(ProductMethod::kGated);
}

}  // namespace

const ProductChoice* ProductTable::Find(const ProductKey& key) const {
  const auto it = choices_.find(key);
  return it == choices_.end() ? nullptr : &it->second;
}

void ProductTable::Keep(const ProductKey& key, const ProductChoice& choice) {
  choices_[key] = choice;
}

std::string ProductTable::Write(const std::string& origin) const {
  std::ostringstream text;
  text << kFormat << '\n' << origin << '\n';
  for (const auto& [key, choice] : choices_) {
    text << static_cast<int>(key.output) << ' ' << key.bias << ' ' << key.in << ' ' << key.out
         << ' ' << key.bucket << ' ' << static_cast<int>(choice.method) << ' ' << choice.width;
    for (const uint64_t word : choice.algorithm) {
      text << ' ' << word;
    }
    text << '\n';
  }
  return text.str() + kSum + std::to_string(SumOf(text.str())) + '\n';
}

std::optional<ProductTable> ProductTable::Read(const std::string& text, const std::string& origin) {
  const size_t end = text.rfind(kSum);
  if (end == std::string::npos) {
    return std::nullopt;
  }
  const std::string body = text.substr(0, end);
  if (text.substr(end) != kSum + std::to_string(SumOf(body)) + '\n') {
    return std::nullopt;
  }
  std::istringstream lines(body);
  std::string line;
  if (!std::getline(lines, line) || line != kFormat || !std::getline(lines, line) ||
      line != origin) {
    return std::nullopt;
  }
  ProductTable table;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    ProductKey key;
    ProductChoice choice;
    int output = 0;
    int method = 0;
    fields >> output >> key.bias >> key.in >> key.out >> key.bucket >> method >> choice.width;
    for (uint64_t& word : choice.algorithm) {
      fields >> word;
    }
    if (!fields || !IsOutput(output) || !IsMethod(method)) {
      return std::nullopt;
    }
    key.output = static_cast<ProductOutput>(output);
    choice.method = static_cast<ProductMethod>(method);
    table.Keep(key, choice);
  }
  return table;
}

}  // namespace terminus::models::decoder::cuda
