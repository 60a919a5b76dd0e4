// Which of the rendered text comes from messages, and how messages of several parts are passed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/chat/chat_template.h"

namespace terminus::chat {
namespace {

// The text with message text in brackets.
std::string Marked(absl::string_view source, std::vector<Message> messages) {
  const auto parsed = ChatTemplate::Parse(source);
  EXPECT_TRUE(parsed.ok()) << source << ": " << parsed.status();
  if (!parsed.ok()) return "";
  const auto rendered = (*parsed)->Render(messages, false, {.bos = "<s>"});
  EXPECT_TRUE(rendered.ok()) << source << ": " << rendered.status();
  if (!rendered.ok()) return "";
  std::string out;
  size_t at = 0;
  for (const base::ByteRange& range : rendered->message_text) {
    EXPECT_LE(at, range.begin);
    EXPECT_LT(range.begin, range.end);
    absl::StrAppend(&out, rendered->text.substr(at, range.begin - at), "[",
                    rendered->text.substr(range.begin, range.end - range.begin), "]");
    at = range.end;
  }
  EXPECT_LE(at, rendered->text.size());
  return out + rendered->text.substr(at);
}

// Of an expression over the content `m` of one message.
std::string MarkedExpression(absl::string_view expression, const std::string& content) {
  return Marked(absl::StrCat("{% set m = messages[0].content %}{{ ", expression, " }}"),
                {{.role = "user", .content = content}});
}

TEST(MessageTextTest, IsTheContentOfMessages) {
  EXPECT_EQ(
      Marked("{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}",
             {{"user", "Hi <s>"}, {"assistant", ""}, {"user", "x"}}),
      "<s><|user|>[Hi <s>]\n<|assistant|>\n<|user|>[x]\n");
}

TEST(MessageTextTest, StaysMarkedThroughStrings) {
  EXPECT_EQ(MarkedExpression("m", " a b "), "[ a b ]");
  EXPECT_EQ(MarkedExpression("m.strip()", " a b "), "[a b]");
  EXPECT_EQ(MarkedExpression("m | trim | upper", " a b "), "[A B]");
  EXPECT_EQ(MarkedExpression("'<' + m + '>' ~ m", "é"), "<[é]>[é]");
  EXPECT_EQ(MarkedExpression("('<' + m + '>').upper()", "ßx"), "<[SSX]>");
  EXPECT_EQ(MarkedExpression("('ab' + m + 'cd')[1:4]", "é日🎉"), "b[é日]");
  EXPECT_EQ(MarkedExpression("('ab' + m)[::-1]", "xy"), "[yx]ba");
  EXPECT_EQ(MarkedExpression("m.split(',')[1]", "a,b,c"), "[b]");
  EXPECT_EQ(MarkedExpression("m.split(',') | join('-')", "a,b"), "[a]-[b]");
  EXPECT_EQ(MarkedExpression("'-'.join([m, 'x', m])", "a"), "[a]-x-[a]");
  EXPECT_EQ(MarkedExpression("m.replace('b', '|')", "abc"), "[a]|[c]");
  EXPECT_EQ(MarkedExpression("'abc' | replace('b', m)", "<s>"), "a[<s>]c");
  EXPECT_EQ(MarkedExpression("'%s|%5s' % (m, m)", "ab"), "[ab]|   [ab]");
  EXPECT_EQ(MarkedExpression("'{}<{:>4}>'.format(m, m)", "ab"), "[ab]<  [ab]>");
  EXPECT_EQ(MarkedExpression("m | tojson", "a\"b"), "\"[a\\\"b]\"");
  EXPECT_EQ(MarkedExpression("{'k': [m]} | tojson", "a"), "{\"k\": [\"[a]\"]}");
  EXPECT_EQ(MarkedExpression("[m]", "a'b"), "[\"[a'b]\"]");
  EXPECT_EQ(MarkedExpression("m | indent(2)", "a\nb"), "[a]\n  [b]");
  EXPECT_EQ(MarkedExpression("m.center(5, '*')", "a"), "**[a]**");
  EXPECT_EQ(MarkedExpression("m * 2 + 'x'", "a"), "[aa]x");
  EXPECT_EQ(MarkedExpression("m | e", "<"), "[&lt;]");
  EXPECT_EQ(MarkedExpression("m | truncate(4, true, '~')", "abcdefghijkl"), "[abc]~");
  EXPECT_EQ(MarkedExpression("m | list | first", "<s>"), "[<]");
  EXPECT_EQ(MarkedExpression("m | length", "abc"), "3");
  EXPECT_EQ(MarkedExpression("m if m == 'a' else ''", "a"), "[a]");
  EXPECT_EQ(MarkedExpression("'a' if m == 'a' else ''", "a"), "a");
  EXPECT_EQ(MarkedExpression("m | urlencode", "a b"), "[a%20b]");
  // The final sigma comes of the letter before it: then all counts as message text.
  EXPECT_EQ(MarkedExpression("(m ~ 'Σ') | lower", "Α"), "[ας]");
}

TEST(MessageTextTest, StaysMarkedThroughStatements) {
  EXPECT_EQ(Marked("{% macro f(x) %}<{{ x }}>{% endmacro %}{{ f(messages[0].content) | upper }}",
                   {{"user", "a"}}),
            "<[A]>");
  EXPECT_EQ(Marked("{% set t %}<{{ messages[0].content }}>{% endset %}{{ t.strip('<') }}",
                   {{"user", "<a"}}),
            "[a]>");
  EXPECT_EQ(Marked("{% for c in messages[0].content %}{{ c }},{% endfor %}", {{"user", "ab"}}),
            "[a],[b],");
  EXPECT_EQ(Marked("{% filter upper %}x{{ messages[0].content }}{% endfilter %}", {{"user", "a"}}),
            "X[A]");
}

// A template may build a control token of a role: one word is never message text, more are.
TEST(MessageTextTest, RolesOfOneWordAreTheTemplates) {
  EXPECT_EQ(Marked("<|{{ messages[0].role }}|>", {{"ipython-2_x", ""}}), "<|ipython-2_x|>");
  EXPECT_EQ(Marked("<|{{ messages[0].role }}|>", {{"user|><|system", ""}}), "<|[user|><|system]|>");
}

constexpr char kParts[] =
    "{% for m in messages %}{% for p in m.content %}{% if p.type == 'text' %}({{ p.text }})"
    "{% else %}<{{ p.type }}>{% endif %}{% endfor %}{% endfor %}";
constexpr char kBoth[] =
    "{% macro show(c) %}{% if c is string %}{{ c }}{% else %}{% for p in c %}({{ p['text'] }})"
    "{% endfor %}{% endif %}{% endmacro %}{% for m in messages %}{{ show(m['content']) }}"
    "{% endfor %}";
constexpr char kString[] = "{% for m in messages %}{{ m.content }}{% endfor %}";

bool WantsParts(absl::string_view source) {
  const auto parsed = ChatTemplate::Parse(source);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() && (*parsed)->wants_parts();
}

TEST(MessagePartsTest, AreWantedByTemplatesThatGoThroughThem) {
  EXPECT_TRUE(WantsParts(kParts));
  EXPECT_FALSE(WantsParts(kBoth));
  EXPECT_FALSE(WantsParts(kString));
  EXPECT_TRUE(WantsParts("{{ messages[0].content[0].text }}"));
  EXPECT_TRUE(WantsParts("{{ messages[0]['content'] | map(attribute='text') | join }}"));
  EXPECT_TRUE(
      WantsParts("{% set c = messages[0].get('content') or [] %}"
                 "{% for p in c | selectattr('type', 'equalto', 'text') %}{% endfor %}"));
  EXPECT_TRUE(
      WantsParts("{% macro show(p) %}{{ p.text }}{% endmacro %}"
                 "{% for p in messages[0].content %}{{ show(p) }}{% endfor %}"));
  EXPECT_FALSE(WantsParts("{{ messages[0].content[0] }}"));
  EXPECT_FALSE(WantsParts("{% for c in messages[0].content[:9] %}{{ c.upper() }}{% endfor %}"));
  EXPECT_FALSE(WantsParts("{% for t in messages[0].tool_calls %}{% endfor %}"));
}

TEST(MessagePartsTest, OfAStringAreOne) {
  EXPECT_EQ(Marked(kParts, {{"user", "a"}}), "([a])");
  EXPECT_EQ(Marked(kBoth, {{"user", "a"}}), "[a]");
  EXPECT_EQ(Marked(kString, {{"user", "a"}}), "[a]");
}

TEST(MessagePartsTest, ArePassedOrJoined) {
  const Message two = {.role = "user", .parts = {{.text = "a"}, {.text = "b"}}};
  EXPECT_EQ(Marked(kParts, {two}), "([a])([b])");
  EXPECT_EQ(Marked(kBoth, {two}), "([a])([b])");
  EXPECT_EQ(Marked(kString, {two}), "[a\nb]");
  const Message image = {.role = "user", .parts = {{.type = "image"}, {.text = "b"}}};
  EXPECT_EQ(Marked(kParts, {image}), "<image>([b])");
  const auto parsed = ChatTemplate::Parse(kString);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ((*parsed)->Render({image}, false, {}).status().message(),
            "the chat template takes texts only, not a part of type 'image'");
}

}  // namespace
}  // namespace terminus::chat
