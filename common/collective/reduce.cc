#include "common/collective/reduce.h"

#include "common/base/check.h"
#include "common/tensor/half.h"

namespace terminus::collective {
namespace {

using weights::DType;

// T is how an element lies in memory, Load and Store what makes a summand of it and back.
template <class T, class Load, class Store>
void Sum(absl::Span<const void* const> parts, int64_t count, void* out, Load load, Store store) {
  T* sums = static_cast<T*>(out);
  for (int64_t i = 0; i < count; ++i) {
    auto sum = load(static_cast<const T*>(parts[0])[i]);
    for (size_t part = 1; part < parts.size(); ++part) {
      sum += load(static_cast<const T*>(parts[part])[i]);
    }
    sums[i] = store(sum);
  }
}

}  // namespace

void SumInOrder(DType dtype, absl::Span<const void* const> parts, int64_t count, void* out) {
  const auto same = [](auto value) { return value; };
  switch (dtype) {
    case DType::kFloat32:
      return Sum<float>(parts, count, out, same, same);
    case DType::kInt32:
      // Unsigned, which may overflow.
      return Sum<uint32_t>(parts, count, out, same, same);
    case DType::kBFloat16:
      return Sum<uint16_t>(parts, count, out, tensor::Bfloat16ToFloat, tensor::FloatToBfloat16);
    default:
      TERMINUS_CHECK(false && "CheckSummable lets no other type through");
  }
}

}  // namespace terminus::collective
