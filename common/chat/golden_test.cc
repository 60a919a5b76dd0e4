// What the reference makes of the same templates; scripts in tests/golden/chat write it down.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/file.h"
#include "common/chat/chat_template.h"
#include "common/chat/test_values.h"

namespace terminus::chat {
namespace {

absl::StatusOr<Rendered> RenderSource(absl::string_view source, const Dict& variables) {
  const auto parsed = ChatTemplate::Parse(source);
  if (!parsed.ok()) return parsed.status();
  return (*parsed)->Render(variables, GoldenClock());
}

TEST(ChatGoldenTest, RendersAsJinja) {
  const Json goldens = Json::parse(ReadGolden("goldens.json"));
  EXPECT_GE(goldens.size(), 90u);
  for (const Json& golden : goldens) {
    const auto name = golden.at("template").get<std::string>();
    const auto parsed = ChatTemplate::Parse(ReadGolden(name));
    ASSERT_TRUE(parsed.ok()) << name << ": " << parsed.status();
    std::vector<Message> messages;
    for (const Json& message : golden.at("messages")) {
      messages.push_back({.role = message.at("role"), .content = message.at("content")});
    }
    const auto rendered = (*parsed)->Render(messages, golden.at("add_generation_prompt"),
                                            {.bos = "<s>", .eos = "</s>"});
    if (golden.contains("error")) {
      EXPECT_FALSE(rendered.ok()) << name << " should have failed: " << golden.at("error");
    } else {
      ASSERT_TRUE(rendered.ok()) << name << ": " << rendered.status();
      EXPECT_EQ(rendered->text, golden.at("text").get<std::string>()) << name;
    }
  }
}

// Snippets that the reference renders and we refuse by name; docs/chat_templates.md lists why.
const std::set<std::string>& RefusedSnippets() {
  static const auto& refused = *new std::set<std::string>{
      // Integers of more than 64 bits, and complex numbers.
      "{{ 4611686018427387904 * 2 }}",
      "{{ 9223372036854775807 + 1 }}",
      "{{ (-8) ** (1/3) }}",
      // Views of dicts as sets, bytes.
      "{{ d.keys() < d.keys() }}",
      "{{ 'abc'.encode() }}",
      // Slices of constants that have none: an accident of Jinja's optimiser.
      "{{ none[0:1] }}",
      "{{ 5[0:1] }}",
      // Template inheritance, and escaping by itself.
      "{{ self }}",
      "{% block x %}a{% endblock %}",
      "{% autoescape true %}{{ '<' }}{% endautoescape %}",
      // Refused at load, where the reference only fails when a run gets there.
      "{% if no %}{{ 1|random }}{% endif %}ok",
      "{% if no %}{{ nosuch(1) }}{% endif %}ok",
      "{% if no %}{{ s.nosuch(1) }}{% endif %}ok",
  };
  return refused;
}

TEST(ChatGoldenTest, SnippetsAreEqualOrRefused) {
  const Json goldens = Json::parse(ReadGolden("battery.json"));
  const Dict variables = ToDict(Json::parse(ReadGolden("battery_variables.json")));
  size_t snippets = 0;
  std::set<std::string> refused;
  for (const auto& [name, wanted] : goldens.items()) {
    std::vector<std::string> lines =
        absl::StrSplit(ReadGolden(absl::StrCat("battery/", name)), '\n', absl::SkipEmpty());
    ASSERT_EQ(lines.size(), wanted.size()) << name << " has changed: make battery.json again";
    for (size_t i = 0; i < lines.size(); ++i) {
      ++snippets;
      const auto rendered = RenderSource(absl::StrReplaceAll(lines[i], {{"⏎", "\n"}}), variables);
      if (wanted[i].is_null()) {
        EXPECT_FALSE(rendered.ok())
            << name << ": " << lines[i] << "\nshould have failed, gave " << rendered->text;
      } else if (rendered.ok()) {
        EXPECT_EQ(rendered->text, wanted[i].get<std::string>()) << name << ": " << lines[i];
      } else {
        refused.insert(lines[i]);
        EXPECT_EQ(RefusedSnippets().count(lines[i]), 1u) << name << ": " << lines[i] << "\n"
                                                         << rendered.status();
      }
    }
  }
  EXPECT_GE(snippets, 600u);
  EXPECT_EQ(refused, RefusedSnippets());
}

// Written by tests/golden/chat/make_random_goldens.py, more of them to another file for a long
// hunt.
TEST(ChatGoldenTest, RandomTemplatesAreEqualOrRefused) {
  const char* const other = std::getenv("TERMINUS_CHAT_RANDOM");
  const auto text =
      base::ReadFile(other != nullptr ? other : "tests/golden/chat/random.json", size_t{1} << 30);
  ASSERT_TRUE(text.ok()) << text.status();
  const Json goldens = Json::parse(*text);
  const Dict variables = ToDict(Json::parse(ReadGolden("battery_variables.json")));
  size_t rendered_by_both = 0;
  for (const Json& golden : goldens) {
    const auto source = golden.at(0).get<std::string>();
    const auto rendered = RenderSource(source, variables);
    if (!rendered.ok()) continue;
    ASSERT_FALSE(golden.at(1).is_null()) << source << "\nshould have failed";
    EXPECT_EQ(rendered->text, golden.at(1).get<std::string>()) << source;
    ++rendered_by_both;
  }
  EXPECT_GE(rendered_by_both, goldens.size() / 3);
}

std::string PublishedFolder() {
  const char* const home = std::getenv("TERMINUS_HOME");
  return (home != nullptr ? std::string(home)
                          : std::string(std::getenv("HOME")) + "/.cache/terminus") +
         "/templates/";
}

std::string Digest(absl::string_view text) {
  uint64_t value = 0xcbf29ce484222325;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return absl::StrFormat("%016x", value);
}

TEST(ChatGoldenTest, PublishedTemplatesRenderAsInTheReference) {
  const Json goldens = Json::parse(ReadGolden("published.json"));
  const Json conversations = Json::parse(ReadGolden("conversations.json"));
  const Json tools = Json::parse(ReadGolden("conversation_tools.json"));
  EXPECT_GE(goldens.size(), 70u);
  for (const auto& [name, wanted] : goldens.items()) {
    const auto source = base::ReadFile(PublishedFolder() + name, 1 << 20);
    ASSERT_TRUE(source.ok()) << source.status() << "; scripts/setup brings the templates";
    const auto parsed = ChatTemplate::Parse(*source);
    ASSERT_TRUE(parsed.ok()) << name << ": " << parsed.status();
    ASSERT_EQ(wanted.size(), 2 * conversations.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
      Json variables = {
          {"tools", nullptr}, {"documents", nullptr}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
      variables.update(conversations[i / 2]);
      if (!variables["tools"].is_null()) {
        variables["tools"] = tools.at(variables["tools"].get<std::string>());
      }
      variables["add_generation_prompt"] = i % 2 == 1;
      const auto rendered = (*parsed)->Render(ToDict(variables), GoldenClock());
      const Json digest = rendered.ok() ? Json(Digest(rendered->text)) : Json();
      EXPECT_EQ(digest, wanted[i])
          << name << ", conversation " << i / 2 << ": " << rendered.status();
    }
  }
}

}  // namespace
}  // namespace terminus::chat
