#include "common/tokenizer/library_json.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace terminus::tokenizer {
namespace {

using nlohmann::json;

// Exponents beyond this change nothing any more: the result is 0 or infinite.
constexpr int64_t kMaxExponent = 1'000'000;
constexpr int64_t kLargestPower = 308;
constexpr int kMaxDepth = 256;

double PowerOfTen(int64_t exponent) {
  double power = 0;
  // absl's conversion gives the nearest double, as a literal has it.
  const bool read = absl::SimpleAtod(absl::StrCat("1e", exponent), &power);
  return read ? power : std::numeric_limits<double>::infinity();
}

// `significand` · 10^`exponent`, rounded once for each factor.
double Scaled(uint64_t significand, int64_t exponent) {
  auto value = static_cast<double>(significand);
  while (exponent < -kLargestPower && value != 0) {
    value /= PowerOfTen(kLargestPower);
    exponent += kLargestPower;
  }
  if (value == 0) return value;
  return exponent < 0 ? value / PowerOfTen(-exponent)
                      : value * PowerOfTen(exponent <= kLargestPower ? exponent : kMaxExponent);
}

// Takes the digits of a number one by one, as many as 64 bits hold.
class Significand {
 public:
  // Says whether the digit still fits; once one does not, none does.
  bool Push(char digit) {
    const auto value = static_cast<uint64_t>(digit - '0');
    constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
    if (full_ || value_ > kMax / 10 || (value_ == kMax / 10 && value > kMax % 10)) {
      full_ = true;
      return false;
    }
    value_ = value_ * 10 + value;
    return true;
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
  bool full_ = false;
};

int64_t ReadExponent(absl::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  int64_t exponent = 0;
  for (const char c : text) {
    if (absl::ascii_isdigit(static_cast<unsigned char>(c)) && exponent < kMaxExponent) {
      exponent = exponent * 10 + (c - '0');
    }
  }
  return negative ? -exponent : exponent;
}

// Builds a document from nlohmann's events. Its own builder drops the text of numbers.
class DocumentBuilder : public nlohmann::json_sax<json> {
 public:
  explicit DocumentBuilder(bool like_library) : like_library_(like_library) {}

  json Take() { return std::move(root_); }
  const std::string& error() const { return error_; }

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override { return Add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    return Add(like_library_ ? LibraryDouble(text) : value);
  }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }

  bool start_object(std::size_t /*elements*/) override { return Open(json::object()); }
  bool key(string_t& name) override {
    keys_.back() = std::move(name);
    return true;
  }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t /*elements*/) override { return Open(json::array()); }
  bool end_array() override { return Close(); }

  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    error_ = error.what();
    return false;
  }

 private:
  // Puts a value where the document is; returns where it stands now.
  json* Place(json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // Of a key that stands twice the last value counts.
    json& member = parent[keys_.back()];
    member = std::move(value);
    return &member;
  }

  bool Add(json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(json value) {
    if (open_.size() >= kMaxDepth) {
      error_ = absl::StrCat("nested deeper than ", kMaxDepth);
      return false;
    }
    open_.push_back(Place(std::move(value)));
    keys_.emplace_back();
    return true;
  }
  bool Close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  const bool like_library_;
  json root_;
  // The arrays and objects around the next value, and the key in each.
  std::vector<json*> open_;
  std::vector<std::string> keys_;
  std::string error_;
};

absl::StatusOr<json> Parse(absl::string_view text, bool like_library) {
  DocumentBuilder builder(like_library);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) {
    return absl::InvalidArgumentError(builder.error());
  }
  return builder.Take();
}

}  // namespace

double LibraryDouble(absl::string_view text) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  Significand significand;
  int64_t exponent = 0;
  size_t at = 0;
  const auto is_digit = [&] {
    return at < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[at]));
  };
  // Digits that do not fit are dropped; before the point each one stands for a factor of ten.
  for (; is_digit(); ++at) {
    if (!significand.Push(text[at])) ++exponent;
  }
  if (at < text.size() && text[at] == '.') {
    for (++at; is_digit(); ++at) {
      if (significand.Push(text[at])) --exponent;
    }
  }
  if (at < text.size()) exponent += ReadExponent(text.substr(at + 1));
  const double value = Scaled(significand.value(), exponent);
  return negative ? -value : value;
}

absl::StatusOr<json> ParseLibraryJson(absl::string_view text) {
  return Parse(text, /*like_library=*/true);
}

absl::StatusOr<json> ParseJson(absl::string_view text) {
  return Parse(text, /*like_library=*/false);
}

}  // namespace terminus::tokenizer
