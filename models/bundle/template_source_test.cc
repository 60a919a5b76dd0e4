#include "models/bundle/template_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/temp_folder.h"
#include "common/settings/collector.h"

namespace terminus::models::bundle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TemplateSourceTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const std::string path = folder_.path() + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
  }

  // The text that is taken, "none", or the error.
  std::string Taken() {
    const auto source = ReadTemplateSource(folder_.path());
    if (!source.ok()) {
      return std::string(source.status().message());
    }
    return source->has_value() ? (*source)->text : "none";
  }

  base::TempFolder folder_;
};

// As transformers' AutoTokenizer takes them.
TEST_F(TemplateSourceTest, FilesComeBeforeTheConfig) {
  EXPECT_EQ(Taken(), "none");
  Write("tokenizer_config.json", R"({"chat_template": null})");
  EXPECT_EQ(Taken(), "none");
  Write("tokenizer_config.json", R"({"chat_template": "config"})");
  EXPECT_EQ(Taken(), "config");
  Write("additional_chat_templates/rag.jinja", "rag");
  EXPECT_THAT(Taken(), HasSubstr("several chat templates (rag), none of them is named"));
  Write("chat_template.jinja", "file\r\nof lines\r");
  EXPECT_EQ(Taken(), "file\nof lines\n");
  Write("additional_chat_templates/default.jinja", "additional");
  EXPECT_EQ(Taken(), "additional");
}

TEST_F(TemplateSourceTest, OfNamedOnesTheDefault) {
  Write("tokenizer_config.json",
        R"({"chat_template": [{"name": "tool_use", "template": "tools"},
                              {"name": "default", "template": "plain"}]})");
  EXPECT_EQ(Taken(), "plain");
  EXPECT_THAT((*ReadTemplateSource(folder_.path()))->place,
              HasSubstr("tokenizer_config.json, chat_template, \"default\""));
  Write("tokenizer_config.json", R"({"chat_template": [{"name": "a", "template": "x"}]})");
  EXPECT_THAT(Taken(), HasSubstr("(a), none of them is named \"default\""));
  for (const char* bad : {R"({"chat_template": [{"name": "default"}]})", R"({"chat_template": 3})",
                          R"({"chat_template": ["x"]})"}) {
    Write("tokenizer_config.json", bad);
    EXPECT_THAT(Taken(), HasSubstr("chat_template: expected a string, or a list")) << bad;
  }
  Write("tokenizer_config.json", "[");
  EXPECT_THAT(Taken(), HasSubstr("not a JSON object"));
}

TEST_F(TemplateSourceTest, ProcessorsTemplatesAreNotTheTokenizers) {
  Write("chat_template.json", R"({"chat_template": "processor"})");
  const terminus::settings::Collector collector;
  EXPECT_EQ(Taken(), "none");
  EXPECT_THAT(collector.warnings(), ElementsAre(HasSubstr("chat_template.json: not looked at")));
}

}  // namespace
}  // namespace terminus::models::bundle
