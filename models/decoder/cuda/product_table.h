#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "models/decoder/cuda/product_output.h"

// Which way of computing each product is the fastest: host code alone. The table is kept in a file,
// so that trials are made once for a device and two starts compute the same bits.
namespace terminus::models::decoder::cuda {

enum class ProductMethod {
  kCublas,
  kStream,
  kFewRows,
  kGated,
};

struct ProductChoice {
  ProductMethod method = ProductMethod::kCublas;
  int width = 0;                           // kGated: of kGatedWidths.
  std::array<uint64_t, 8> algorithm = {};  // kCublas: cublasLtMatmulAlgo_t.

  friend bool operator==(const ProductChoice& a, const ProductChoice& b) {
    return a.method == b.method && a.width == b.width && a.algorithm == b.algorithm;
  }
};

// A kind of product, in a bucket of rows.
struct ProductKey {
  ProductOutput output = ProductOutput::kBf16;
  bool bias = false;
  int64_t in = 0;
  int64_t out = 0;
  int bucket = 0;

  friend bool operator<(const ProductKey& a, const ProductKey& b) {
    return std::tie(a.output, a.bias, a.in, a.out, a.bucket) <
           std::tie(b.output, b.bias, b.in, b.out, b.bucket);
  }
};

class ProductTable {
 public:
  // Null where there is none.
  const ProductChoice* Find(const ProductKey& key) const;
  void Keep(const ProductKey& key, const ProductChoice& choice);

  // The table as a text for a file, of the device and the versions that `origin` names. It ends
  // with a sum of its bytes.
  std::string Write(const std::string& origin) const;

  // Reads the text that Write gave for the same origin. Nothing for another origin, and for a text
  // that is cut, changed, or of another version of this format.
  static std::optional<ProductTable> Read(const std::string& text, const std::string& origin);

 private:
  std::map<ProductKey, ProductChoice> choices_;
};

}  // namespace terminus::models::decoder::cuda
