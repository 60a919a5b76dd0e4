// A config as YAML, and the schema as documentation.

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/config/schema.h"

namespace terminus::config {
namespace {

// A YAML double-quoted scalar: never mistaken for a number, a null or a list.
std::string Quoted(const std::string& text) {
  return absl::StrCat(
      "\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", "\\n"}}), "\"");
}

struct ValueText {
  std::string operator()(const int* value) const { return absl::StrCat(*value); }
  std::string operator()(const int64_t* value) const { return absl::StrCat(*value); }
  std::string operator()(const absl::Duration* value) const {
    return absl::StrCat(absl::ToInt64Milliseconds(*value));
  }
  std::string operator()(const std::string* value) const { return Quoted(*value); }
  std::string operator()(const std::vector<std::string>* value) const {
    std::vector<std::string> quoted;
    for (const std::string& text : *value) {
      quoted.push_back(Quoted(text));
    }
    return absl::StrCat("[", absl::StrJoin(quoted, ", "), "]");
  }
};

struct TypeName {
  const char* operator()(const int*) const { return "integer"; }
  const char* operator()(const int64_t*) const { return "integer"; }
  const char* operator()(const absl::Duration*) const { return "milliseconds"; }
  const char* operator()(const std::string*) const { return "text"; }
  const char* operator()(const std::vector<std::string>*) const { return "list of texts"; }
};

constexpr char kIntroduction[] =
    R"(# Configuration

One YAML file, `terminus.yaml`, configures every process; each reads its own part. All keys are
optional. `--config FILE` names the file and `--set KEY=VALUE` overrides one key, in the same
syntax: `--set text.threads=2`, `--set 'router.listen=[127.0.0.1:8500]'`. A list of one may be
written without brackets. An unknown key is an error that names the nearest known one.

Keys that end in `_ms` are whole milliseconds. A process that is given nothing at all starts with
the defaults below.

This page is generated from the schema, `common/config/schema.cc`, and a test compares the two.
)";

}  // namespace

std::string ToYaml(const ClusterConfig& config) {
  ClusterConfig copy = config;
  const Schema schema = SchemaOf(copy);
  std::string yaml;
  std::vector<std::string> open;
  for (const Key& key : schema.keys) {
    std::vector<std::string> names = absl::StrSplit(key.path, '.');
    const std::string name = std::move(names.back());
    names.pop_back();
    size_t same = 0;
    while (same < names.size() && same < open.size() && names[same] == open[same]) {
      ++same;
    }
    for (size_t depth = same; depth < names.size(); ++depth) {
      absl::StrAppend(&yaml, std::string(2 * depth, ' '), names[depth], ":\n");
    }
    absl::StrAppend(&yaml, std::string(2 * names.size(), ' '), name, ": ",
                    std::visit(ValueText(), key.value), "\n");
    open = std::move(names);
  }
  return yaml;
}

std::string ToMarkdown() {
  ClusterConfig defaults;
  const Schema schema = SchemaOf(defaults);
  std::string page = kIntroduction;
  for (const Section& section : schema.sections) {
    absl::StrAppend(&page, "\n## ", section.path.empty() ? "Top level" : "`" + section.path + "`",
                    "\n\n", section.doc, "\n\n| Key | Type | Default | Allowed | Meaning |\n",
                    "|---|---|---|---|---|\n");
    for (const Key& key : schema.keys) {
      const size_t dot = key.path.rfind('.');
      const std::string parent = dot == std::string::npos ? "" : key.path.substr(0, dot);
      if (parent == section.path) {
        absl::StrAppend(&page, "| `", key.path.substr(parent.empty() ? 0 : dot + 1), "` | ",
                        std::visit(TypeName(), key.value), " | `",
                        std::visit(ValueText(), key.value), "` | ", key.check.expected, " | ",
                        key.doc, " |\n");
      }
    }
  }
  return page;
}

}  // namespace terminus::config
