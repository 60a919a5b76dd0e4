// What Jinja 2 makes of the same templates; tests/golden/chat/make_goldens.py writes it down.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/base/file.h"
#include "common/chat/chat_template.h"

namespace terminus::chat {
namespace {

constexpr char kFolder[] = "tests/golden/chat/";

std::string Read(const std::string& name) {
  const auto text = base::ReadFile(kFolder + name, 1 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  return *text;
}

TEST(ChatGoldenTest, RendersAsJinja) {
  const auto goldens = nlohmann::json::parse(Read("goldens.json"));
  EXPECT_GE(goldens.size(), 90u);
  for (const auto& golden : goldens) {
    const auto name = golden.at("template").get<std::string>();
    const auto parsed = ChatTemplate::Parse(Read(name));
    ASSERT_TRUE(parsed.ok()) << name << ": " << parsed.status();
    std::vector<Message> messages;
    for (const auto& message : golden.at("messages")) {
      messages.push_back({message.at("role"), message.at("content")});
    }
    const auto text = (*parsed)->Render(messages, golden.at("add_generation_prompt"),
                                        {.bos = "<s>", .eos = "</s>"});
    if (golden.contains("error")) {
      EXPECT_FALSE(text.ok()) << name << " should have failed: " << golden.at("error");
    } else {
      ASSERT_TRUE(text.ok()) << name << ": " << text.status();
      EXPECT_EQ(*text, golden.at("text").get<std::string>()) << name;
    }
  }
}

}  // namespace
}  // namespace terminus::chat
