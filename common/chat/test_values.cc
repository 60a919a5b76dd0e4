#include "common/chat/test_values.h"

#include <gtest/gtest.h>

#include <utility>

#include "common/base/file.h"

namespace terminus::chat {

Value ToValue(const Json& json) {
  if (json.is_null()) return Value(Value::None());
  if (json.is_boolean()) return Value(json.get<bool>());
  if (json.is_number_integer()) return Value(json.get<int64_t>());
  if (json.is_number()) return Value(json.get<double>());
  if (json.is_string()) return Value(json.get<std::string>());
  if (json.is_object()) return Value(ToDict(json));
  List list;
  for (const Json& element : json) list.push_back(ToValue(element));
  return Value(std::move(list));
}

Dict ToDict(const Json& object) {
  Dict dict;
  for (const auto& [key, value] : object.items()) dict.Set(key, ToValue(value));
  return dict;
}

std::string ReadGolden(const std::string& name) {
  const auto text = base::ReadFile("tests/golden/chat/" + name, 16 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return text.ok() ? *text : "";
}

}  // namespace terminus::chat
