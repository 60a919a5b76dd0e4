#include "common/chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"

namespace terminus::chat {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::string> Render(absl::string_view source,
                                   std::vector<Message> messages = {{"user", "hi"}}) {
  const auto parsed = ChatTemplate::Parse(source);
  if (!parsed.ok()) return parsed.status();
  return (*parsed)->Render(messages, true, {});
}

void ExpectRefused(absl::string_view source, const std::string& why) {
  const auto text = Render(source);
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument) << source;
  EXPECT_THAT(std::string(text.status().message()), HasSubstr(why)) << source;
}

TEST(ChatTemplateTest, FaultsNameTheirLine) {
  ExpectRefused("a\n{% if %}", "line 2: found %}, expected an expression");
  ExpectRefused("a\n\n{{ 'x }}", "line 3: a string is not closed");
  ExpectRefused("{% if a %}x", "expected {% endif %}");
  ExpectRefused("{% macro f() %}{% endmacro %}", "{% macro %} is not supported");
  ExpectRefused("{{ 1 +", "not closed");
  ExpectRefused("{{ a b }}", "found 'b', expected }}");
  ExpectRefused("{% break %}", "outside of a loop");
  ExpectRefused("{{ messages | sorted }}", "'sorted' is not supported");
  ExpectRefused("\n{{ nobody.name }}", "line 2: undefined has no 'name'");
  ExpectRefused("{{ open('/etc/passwd') }}", "'open' is not supported");
  ExpectRefused("{{ 1 / 0 }}", "division by zero");
  ExpectRefused("{{ 1 < 2 < 3 }}", "a chain of comparisons is not supported");
  ExpectRefused("{{ '\\ud800' }}", "without the 4 hex digits of a character");
  ExpectRefused("{% for a in [1] %}{% 'endfor' %}{% endfor %}", "expected a statement");
  ExpectRefused("{{ messages | tojson(indent=2) }}", "tojson: 'indent' is not supported");
  ExpectRefused("{{ 'a'.startswith(1) }}", "startswith: expected one string");
  ExpectRefused("\xff", "not valid UTF-8 at byte 0");
  ExpectRefused("{{ range(9000000000000000000) }}", "range: expected");
  ExpectRefused("{{ 9223372036854775807 + 1 }}", "a number is too large");
}

TEST(ChatTemplateTest, RefusalsAreTheTemplatesOwnWords) {
  ExpectRefused("{{ raise_exception('no ' ~ messages[0].role) }}", "no user");
  const auto text = Render("{{ raise_exception('é' * 1000) }}");
  EXPECT_EQ(text.status().message().size(), 1000u);
}

TEST(ChatTemplateTest, TextIsUtf8) {
  EXPECT_EQ(Render("{{ messages[0].content }}", {{"user", "\xff"}}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ChatTemplateTest, WhatATemplateMayDoIsBounded) {
  ExpectRefused("{% for a in range(5000) %}{% for b in range(5000) %}{% endfor %}{% endfor %}",
                "more than 1000000 steps");
  ExpectRefused(
      "{% set ns = namespace(t='0123456789') %}{% for i in range(40) %}{% set ns.t = ns.t + ns.t %}"
      "{% endfor %}",
      "bytes of text");
  ExpectRefused("{{ range(100000000) }}", "at most 100000 elements");
  const std::string loop = "{% set ns = namespace(a='x') %}{% for i in range(1000) %}";
  ExpectRefused(loop + "{% set ns.a = [ns.a] %}{% endfor %}", "lists nested deeper than 32");
  ExpectRefused(loop + "{% set ns.a = [ns.a, ns.a] %}{% endfor %}", "more than 16777216 bytes");
  ExpectRefused(loop + "{% set ns.a = ns.a * 100 %}{% endfor %}", "bytes of text");
  ExpectRefused(loop + "{% set ns.a = ns.a | replace('x', 'xxxxxxxx') %}{% endfor %}",
                "bytes of text");
  ExpectRefused(loop + "{% set ns.a = ns %}{% endfor %}", "a namespace cannot be part of");
  ExpectRefused(loop + "{% if 'y' * 100000 == 'z' %}{% endif %}{% endfor %}",
                "more than 1000000 steps");
  ExpectRefused(loop + "{% set b %}{{ 'y' * 100000 }}{% endset %}{% endfor %}",
                "more than 1000000 steps");
  ExpectRefused("{{ " + std::string(1000, '(') + "1" + std::string(1000, ')') + " }}",
                "nested deeper than 100");
  std::string nested;
  for (int i = 0; i < 200; ++i) nested += "{% if 1 %}";
  ExpectRefused(nested, "nested deeper than 100");
  ExpectRefused("{{ " + std::string(1000, '-') + "1 }}", "nested deeper than 100");
  std::string chain = "{{ 1";
  for (int i = 0; i < 100'000; ++i) chain += "+1";
  ExpectRefused(chain + " }}", "an expression nested deeper than 100");
  ExpectRefused(std::string(2 << 20, 'x'), "at most 1048576");
}

class FolderTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
  }
  absl::StatusOr<std::string> Load() {
    const auto loaded = ChatTemplate::Load(folder_);
    if (!loaded.ok()) return loaded.status();
    return (*loaded)->Render({{"user", "hi"}}, false);
  }

  const base::TempFolder temp_;
  const std::string folder_ = temp_.path();
};

TEST_F(FolderTest, FromTokenizerConfig) {
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kNotFound);
  Write("tokenizer_config.json", R"({"bos_token": {"content": "<s>"}, "eos_token": "</s>",
      "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"})");
  EXPECT_EQ(*Load(), "<s>hi</s>");
}

TEST_F(FolderTest, OfSeveralTheDefault) {
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "tool_use", "template": "tools"},
      {"name": "default", "template": "plain"}]})");
  EXPECT_EQ(*Load(), "plain");
}

TEST_F(FolderTest, AFileOfItsOwnComesFirst) {
  Write("tokenizer_config.json", R"({"eos_token": "!", "chat_template": "config"})");
  Write("chat_template.jinja", "file{{ eos_token }}\n");
  EXPECT_EQ(*Load(), "file!");
}

TEST_F(FolderTest, FaultsNameTheFile) {
  Write("tokenizer_config.json", "[");
  EXPECT_THAT(std::string(Load().status().message()), HasSubstr("tokenizer_config.json"));
  Write("tokenizer_config.json", R"({"chat_template": "{% if %}"})");
  EXPECT_THAT(std::string(Load().status().message()), HasSubstr("chat_template: line 1"));
}

}  // namespace
}  // namespace terminus::chat
