#include "tools/cli/unknown_word.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace terminus::tools::cli {
namespace {

class UnknownWordTest : public ::testing::Test {
 protected:
  // As main.cc sets up the real one.
  UnknownWordTest() {
    app_.require_subcommand(1);
    app_.fallthrough();
    app_.add_option("--address", address_);
    CLI::App* up = app_.add_subcommand("up");
    up->add_option("--replicas", replicas_);
    app_.add_subcommand("status");
    CLI::App* model = app_.add_subcommand("model");
    model->require_subcommand(1);
    CLI::App* inspect = model->add_subcommand("inspect");
    inspect->fallthrough();
    inspect->add_option("folder", folder_)->required();
    model->add_subcommand("load")->fallthrough();
    for (CLI::App* command : app_.get_subcommands({})) {
      command->fallthrough();
    }
  }

  // What is said of a command line that cannot be parsed.
  std::string Describe(std::vector<std::string> words) {
    std::vector<const char*> argv = {"terminus"};
    for (const std::string& word : words) {
      argv.push_back(word.c_str());
    }
    try {
      app_.parse(static_cast<int>(argv.size()), argv.data());
    } catch (const CLI::ParseError&) {
      return DescribeUnknownWord(app_);
    }
    return "parsed";
  }

  CLI::App app_{"", "terminus"};
  std::string address_;
  std::string replicas_;
  std::string folder_;
};

TEST_F(UnknownWordTest, CommandsNameTheNearest) {
  EXPECT_EQ(Describe({"stats"}), "unknown command 'stats'; the nearest is 'status'");
  EXPECT_EQ(Describe({"--address", "a", "modle", "inspect"}),
            "unknown command 'modle'; the nearest is 'model'");
}

TEST_F(UnknownWordTest, InnerCommandsToo) {
  EXPECT_EQ(Describe({"model", "inspct", "folder"}),
            "unknown command 'inspct'; the nearest is 'inspect'");
}

TEST_F(UnknownWordTest, OptionsNameTheNearest) {
  EXPECT_EQ(Describe({"up", "--replics", "text=2"}),
            "unknown option '--replics'; the nearest is '--replicas'");
  EXPECT_EQ(Describe({"up", "--replica=text=2"}),
            "unknown option '--replica'; the nearest is '--replicas'");
  EXPECT_EQ(Describe({"status", "--adress", "a"}),
            "unknown option '--adress'; the nearest is '--address'");
  EXPECT_EQ(Describe({"model", "inspect", "--adress", "a"}),
            "unknown option '--adress'; the nearest is '--address'");
}

TEST_F(UnknownWordTest, OneArgumentTooManyIsNoCommand) {
  EXPECT_EQ(Describe({"status", "now"}), "unexpected argument 'now'");
  EXPECT_EQ(Describe({"model", "inspect", "a", "b"}), "unexpected argument 'b'");
}

TEST_F(UnknownWordTest, OtherMistakesAreNotOurs) {
  EXPECT_EQ(Describe({}), "");
  EXPECT_EQ(Describe({"model", "inspect"}), "");
  EXPECT_EQ(Describe({"status"}), "parsed");
}

}  // namespace
}  // namespace terminus::tools::cli
