#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"
#include "tools/cli/image_files.h"

namespace terminus::tools::cli {
namespace {

// As the server's default limit, so that one call is enough up to there.
constexpr size_t kItemsPerCall = 256;

struct EmbedOptions {
  std::vector<std::string> texts;
  std::vector<std::string> files;
  std::string model;
  v1::EmbedOptions options;
};

struct Item {
  std::string label;
  v1::Content content;
};

absl::StatusOr<std::vector<Item>> MakeItems(const EmbedOptions& embed) {
  std::vector<Item> items;
  for (const std::string& text : embed.texts) {
    items.push_back({.label = text});
    items.back().content.set_text(text);
  }
  for (const std::string& file : embed.files) {
    TERMINUS_ASSIGN_OR_RETURN(std::string bytes, base::ReadFile(file, kMaxImageFileBytes));
    items.push_back({.label = file, .content = ContentOfFile(std::move(bytes))});
  }
  if (items.empty()) {
    return UsageError("nothing to embed: give TEXT or --file IMAGE_OR_VIDEO");
  }
  return items;
}

// Calls that stay under the limits of items and of bytes.
std::vector<v1::EmbedRequest> MakeRequests(const EmbedOptions& embed, std::vector<Item>& items) {
  std::vector<v1::EmbedRequest> requests;
  size_t bytes = 0;
  for (Item& item : items) {
    const size_t size = item.content.ByteSizeLong() + 16;
    if (requests.empty() || requests.back().items_size() == static_cast<int>(kItemsPerCall) ||
        bytes + size > static_cast<size_t>(kMaxImageFileBytes)) {
      requests.emplace_back();
      requests.back().set_model(embed.model);
      *requests.back().mutable_options() = embed.options;
      bytes = 0;
    }
    bytes += size;
    *requests.back().add_items() = std::move(item.content);
  }
  return requests;
}

// Nine digits say a float exactly; a double would be printed with seventeen.
double ShortDouble(float value) { return std::stod(absl::StrFormat("%.9g", value)); }

absl::StatusOr<nlohmann::json> ResultToJson(const std::string& label,
                                            const v1::EmbedResult& result) {
  const absl::Status status = rpc::FromProto(result.status());
  nlohmann::json json = {{"input", label}, {"content_hash", result.content_hash()}};
  if (!status.ok()) {
    json["error"] = {{"code", absl::StatusCodeToString(status.code())},
                     {"message", std::string(status.message())}};
    return json;
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<float> values, tensor::ToFloats(result.vector()));
  json["vector"] = nlohmann::json::array();
  for (const float value : values) {
    json["vector"].push_back(ShortDouble(value));
  }
  json["truncated"] = result.truncated();
  json["cost"] = {{"tokens", result.cost().tokens()},
                  {"patches", result.cost().patches()},
                  {"frames", result.cost().frames()}};
  return json;
}

absl::Status PrintResult(const std::string& label, const v1::EmbedResult& result) {
  const absl::Status status = rpc::FromProto(result.status());
  if (!status.ok()) {
    absl::FPrintF(stderr, "terminus: '%s': %s\n", label.substr(0, 60),
                  std::string(status.message()));
    return absl::OkStatus();
  }
  TERMINUS_ASSIGN_OR_RETURN(const std::vector<float> values, tensor::ToFloats(result.vector()));
  if (result.truncated()) {
    absl::FPrintF(stderr, "terminus: '%s': cut to %d tokens\n", label.substr(0, 60),
                  result.cost().tokens());
  }
  absl::PrintF("%s\n", absl::StrJoin(values, " ", [](std::string* out, float value) {
                 absl::StrAppendFormat(out, "%.9g", value);
               }));
  return absl::OkStatus();
}

absl::Status RunEmbed(const Globals& globals, const EmbedOptions& embed) {
  TERMINUS_ASSIGN_OR_RETURN(std::vector<Item> items, MakeItems(embed));
  const Client client(globals);
  nlohmann::json json = {{"space_id", ""}, {"results", nlohmann::json::array()}};
  size_t index = 0;
  bool failed = false;
  for (const v1::EmbedRequest& request : MakeRequests(embed, items)) {
    TERMINUS_ASSIGN_OR_RETURN(const v1::EmbedResponse response, client.Embed(request));
    json["space_id"] = response.space_id();
    for (const v1::EmbedResult& result : response.results()) {
      const std::string& label = items[index++].label;
      failed = failed || result.status().code() != 0;
      if (globals.json) {
        TERMINUS_ASSIGN_OR_RETURN(nlohmann::json entry, ResultToJson(label, result));
        json["results"].push_back(std::move(entry));
      } else {
        TERMINUS_RETURN_IF_ERROR(PrintResult(label, result));
      }
    }
  }
  if (globals.json) {
    PrintJson(json);
  }
  return failed ? AlreadyReported() : absl::OkStatus();
}

}  // namespace

void AddEmbedCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* embed = app.add_subcommand(
      "embed", "Print the vectors of texts, images and videos, one a line, texts first");
  auto options = std::make_shared<EmbedOptions>();
  embed->add_option("text", options->texts, "Texts to embed");
  embed->add_option("--file", options->files,
                    "Images and videos to embed: JPEG, PNG, WebP, MP4, WebM or GIF");
  embed->add_option("--model", options->model, "Name of a served model (default: the cluster's)");
  const std::map<std::string, v1::DataType> dtypes = {{"float32", v1::DATA_TYPE_FLOAT32},
                                                      {"float16", v1::DATA_TYPE_FLOAT16},
                                                      {"int8", v1::DATA_TYPE_INT8},
                                                      {"bit", v1::DATA_TYPE_BIT}};
  embed
      ->add_option_function<std::string>(
          "--dtype",
          [options, dtypes](const std::string& name) {
            options->options.set_dtype(dtypes.at(name));
          },
          "Element type: float32, float16, int8 or bit")
      ->check(CLI::IsMember(dtypes));
  embed->add_option_function<uint32_t>(
      "--dimension", [options](uint32_t value) { options->options.set_dimension(value); },
      "Keep only the first elements, then normalise");
  embed->add_flag_callback(
      "--no-truncate", [options] { options->options.set_truncate(v1::TRUNCATE_NONE); },
      "Refuse texts over the model's limit instead of cutting them");
  embed->add_flag_callback(
      "--no-normalize", [options] { options->options.set_no_normalize(true); },
      "Leave the vectors at their own length");
  embed->add_option_function<std::string>(
      "--prompt", [options](const std::string& name) { options->options.set_prompt_name(name); },
      "Name of one of the model's own prompts");
  embed->callback([&globals, &command, options] {
    command = [&globals, options] { return RunEmbed(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
