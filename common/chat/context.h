#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/chat/value.h"

namespace terminus::chat {

// The most that one run may do: statements and expressions evaluated, elements gone through, and
// one more for each 64 bytes that are written, made or looked through. Some tenths of a second.
inline constexpr size_t kMaxSteps = 1'000'000;

// What has identity, and may change.
class Object {
 public:
  enum class Kind { kNamespace, kIterator, kMacro, kMethod, kFunction, kCycler, kJoiner, kLoop };

  explicit Object(Kind kind) : kind_(kind) {}
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  Kind kind() const { return kind_; }

 private:
  const Kind kind_;
};

// One run of a template: counts what it does, and owns the objects that it makes. Values hold plain
// pointers to objects, so that objects may hold each other in circles; all go with the Context.
class Context {
 public:
  explicit Context(const base::Clock* clock) : clock_(clock) {}

  // INVALID_ARGUMENT beyond kMaxSteps.
  absl::Status Step(size_t steps = 1);
  // Pays for making a value or for going through it; checks that it is not too large or too deep.
  absl::Status Charge(const Value& value);
  absl::Status ChargeBytes(size_t bytes);

  template <typename T, typename... Parameters>
  absl::StatusOr<T*> Make(Parameters&&... parameters) {
    constexpr size_t kStepsForObject = 16;
    if (absl::Status status = Step(kStepsForObject); !status.ok()) return status;
    objects_.push_back(std::make_unique<T>(std::forward<Parameters>(parameters)...));
    return static_cast<T*>(objects_.back().get());
  }

  absl::Time Now() const { return clock_->Now(); }

 private:
  const base::Clock* const clock_;
  size_t steps_ = 0;
  std::vector<std::unique_ptr<Object>> objects_;
};

}  // namespace terminus::chat
