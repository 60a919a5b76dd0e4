#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/chat/value.h"

// What the tests of this folder share.
namespace terminus::chat {

// Keeps the order of keys, as Python does.
using Json = nlohmann::ordered_json;

Value ToValue(const Json& json);
Dict ToDict(const Json& object);

// The text of tests/golden/chat/NAME.
std::string ReadGolden(const std::string& name);

// The time at which the goldens were made: tests/golden/chat/reference.py.
class GoldenClock final : public base::Clock {
 public:
  absl::Time Now() const override {
    return absl::FromCivil(absl::CivilSecond(2024, 7, 26, 15, 4, 5), absl::LocalTimeZone());
  }
};

}  // namespace terminus::chat
