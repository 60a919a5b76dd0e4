#include "common/chat/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/chat/test_values.h"

namespace terminus::chat {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::string> Render(absl::string_view source,
                                   std::vector<Message> messages = {{"user", "hi"}}) {
  const auto parsed = ChatTemplate::Parse(source);
  if (!parsed.ok()) return parsed.status();
  const auto rendered = (*parsed)->Render(messages, true, {});
  if (!rendered.ok()) return rendered.status();
  return rendered->text;
}

void ExpectRefused(absl::string_view source, const std::string& why) {
  const auto text = Render(source);
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument) << source;
  EXPECT_THAT(std::string(text.status().message()), HasSubstr(why)) << source;
}

void ExpectRefusedAtLoad(absl::string_view source, const std::string& why) {
  const auto parsed = ChatTemplate::Parse(source);
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << source;
  EXPECT_EQ(parsed.status().message(), why) << source;
}

TEST(ChatTemplateTest, FaultsNameTheirLine) {
  ExpectRefused("a\n{% if %}", "line 2: found %}, expected an expression");
  ExpectRefused("a\n\n{{ 'x }}", "line 3: a string is not closed");
  ExpectRefused("{% if a %}x", "expected {% endif %}");
  ExpectRefused("{{ 1 +", "not closed");
  ExpectRefused("{{ a b }}", "found 'b', expected }}");
  ExpectRefused("{% break %}", "outside of a loop");
  ExpectRefused("\n{{ nobody.name }}", "line 2: 'nobody' is undefined");
  ExpectRefused("{% if 1 %}\n{{ 1 / 0 }}{% endif %}", "line 2: division by zero");
  ExpectRefused("{{ '\\ud800' }}", "without the 4 hex digits of a character");
  ExpectRefused("{% for a in [1] %}{% 'endfor' %}{% endfor %}", "expected a statement");
  ExpectRefused("{{ 'a'.startswith(1) }}", "startswith: expected a string or a tuple of such");
  ExpectRefused("\xff", "not valid UTF-8: byte 0xff at offset 0");
  ExpectRefused("{{ range(9000000000000000000) }}", "range: the integer is too large");
  ExpectRefused("{{ 9223372036854775807 + 1 }}", "more than 64 bits");
}

TEST(ChatTemplateTest, WhatIsNotSupportedIsRefusedAtLoad) {
  ExpectRefusedAtLoad("\n{{ messages | sorted }}", "line 2: the filter 'sorted' is not supported");
  ExpectRefusedAtLoad("{% if false %}\n{{ messages | random }}{% endif %}",
                      "line 2: the filter 'random' is not supported");
  ExpectRefusedAtLoad("{{ ['a'] | map('pprint') }}",
                      "line 1: the filter 'pprint' is not supported");
  ExpectRefusedAtLoad("{{ 1 is nice }}", "line 1: the test 'nice' is not supported");
  ExpectRefusedAtLoad("{% if false %}{{ open('/etc/passwd') }}{% endif %}",
                      "line 1: the function 'open' is not supported");
  ExpectRefusedAtLoad("{% if false %}{{ 'a'.encode() }}{% endif %}",
                      "line 1: the method 'encode' is not supported");
  ExpectRefusedAtLoad("a\n{% block b %}{% endblock %}",
                      "line 2: {% block %} is not supported, expected if, for, set, macro, call, "
                      "filter, with, print, break, continue or generation");
  // A template may ask for a function before it calls it, and hold functions under any name.
  EXPECT_EQ(*Render("{% if more is defined %}{{ more() }}{% endif %}a"), "a");
  EXPECT_EQ(*Render("{% macro f() %}b{% endmacro %}{{ {'own': f}.own() }}"), "b");
}

TEST(ChatTemplateTest, RefusalsAreTheTemplatesOwnWords) {
  EXPECT_EQ(Render("{{ raise_exception('no ' ~ messages[0].role) }}").status().message(),
            "no user");
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

TEST(ChatTemplateTest, WhatCallsItselfIsBounded) {
  ExpectRefused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "too deep");
  ExpectRefused("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "too deep");
  ExpectRefused("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "nested deeper than 32");
  ExpectRefused(
      "{% set ns = namespace(i=[1]) %}{% for x in range(99) %}"
      "{% set ns.i = ns.i | map('string') %}{% endfor %}{{ ns.i | list }}",
      "more than 50 filters on top of each other");
  ExpectRefused("{{ '%1000000000d' % 1 }}", "bytes of text");
  ExpectRefused("{{ '{:1000000000}'.format(1) }}", "bytes of text");
  ExpectRefused("{{ 'a'.center(1000000000) }}", "bytes of text");
  ExpectRefused("{{ [1] | batch(9999999, 0) | list }}", "more than 1000000 steps");
  EXPECT_EQ(*Render("{% set ns = namespace() %}{% set ns.me = [ns] %}{{ ns.me | length }}"), "1");
}

TEST(ChatTemplateTest, AbsentSpecialTokensAreUndefined) {
  EXPECT_EQ(*Render("{{ bos_token is defined }}{{ bos_token }}{{ tools }}{{ documents is none }}"),
            "FalseNoneTrue");
  const auto parsed = ChatTemplate::Parse("{{ bos_token }}{{ pad_token }}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ((*parsed)->Render({}, false, {.bos = "<s>", .others = {{"pad_token", "<p>"}}})->text,
            "<s><p>");
}

TEST(ChatTemplateTest, TheTimeIsTheClocks) {
  const auto parsed = ChatTemplate::Parse("{{ strftime_now('%d %b %Y') }}");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ((*parsed)->Render({}, false, {}, GoldenClock())->text, "26 Jul 2024");
}

}  // namespace
}  // namespace terminus::chat
