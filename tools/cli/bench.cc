#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/channel.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"
#include "tools/cli/image_files.h"
#include "tools/loadgen/closed_loop.h"
#include "tools/loadgen/grpc_calls.h"

namespace terminus::tools::cli {
namespace {

struct BenchOptions {
  bool text = false;
  std::vector<std::string> images;
  int clients = 8;
  double seconds = 10;
  double warmup_seconds = 2;
  int items_per_call = 1;
  std::vector<int> words = {6, 30};
  int channels = 1;
};

// Different requests, used in turn; more would only take memory.
constexpr size_t kRequests = 256;
constexpr size_t kMaxRequestBytes = size_t{256} << 20;

// Words that a WordPiece vocabulary knows as one token each.
constexpr const char* kWords[] = {
    "a",     "photo", "of",    "the",   "red",   "house", "with",  "two",   "dogs",  "and",
    "small", "cat",   "on",    "green", "grass", "near",  "river", "under", "blue",  "sky",
    "old",   "man",   "woman", "child", "plays", "in",    "water", "white", "snow",  "mountain",
    "city",  "at",    "night", "car",   "road",  "tree",  "bird",  "sits",  "table", "food"};

std::string MakeText(int words, std::mt19937_64& random) {
  std::string text;
  for (int i = 0; i < words; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : " ", kWords[random() % std::size(kWords)]);
  }
  return text;
}

absl::StatusOr<std::vector<std::string>> LoadImages(const std::vector<std::string>& paths) {
  std::vector<ImageFile> files;
  for (const std::string& path : paths) {
    if (std::filesystem::is_directory(path)) {
      TERMINUS_ASSIGN_OR_RETURN(const ImageFolder folder, FindImages(path));
      files.insert(files.end(), folder.images.begin(), folder.images.end());
    } else {
      TERMINUS_ASSIGN_OR_RETURN(const ImageFile file, StatImage(path));
      files.push_back(file);
    }
  }
  if (files.empty()) {
    return absl::NotFoundError("--image: no images there");
  }
  files.resize(std::min(files.size(), kRequests));
  std::vector<std::string> images;
  for (const ImageFile& file : files) {
    TERMINUS_ASSIGN_OR_RETURN(std::string bytes, base::ReadFile(file.path, kMaxImageFileBytes));
    images.push_back(std::move(bytes));
  }
  return images;
}

// The same requests in every run. With texts and images, items alternate.
absl::StatusOr<std::vector<std::string>> MakeRequests(const BenchOptions& options) {
  std::vector<std::string> images;
  if (!options.images.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(images, LoadImages(options.images));
  }
  const bool texts = options.text || images.empty();
  std::mt19937_64 random(1);
  std::vector<std::string> requests;
  size_t bytes = 0;
  size_t next_image = 0;
  while (requests.size() < kRequests && bytes < kMaxRequestBytes) {
    v1::EmbedRequest request;
    for (int i = 0; i < options.items_per_call; ++i) {
      const bool is_text = texts && (images.empty() || (requests.size() + i) % 2 == 0);
      if (is_text) {
        const int span = options.words[1] - options.words[0] + 1;
        request.add_items()->set_text(
            MakeText(options.words[0] + static_cast<int>(random() % span), random));
      } else {
        request.add_items()->set_image(images[next_image++ % images.size()]);
      }
    }
    requests.push_back(request.SerializeAsString());
    bytes += requests.back().size();
    if (requests.back().size() > static_cast<size_t>(kMaxMessageBytes)) {
      return UsageError(absl::StrCat("--items-per-call ", options.items_per_call,
                                     " makes a request of ", requests.back().size(),
                                     " bytes, at most ", kMaxMessageBytes, " can be sent"));
    }
  }
  return requests;
}

nlohmann::json ErrorsToJson(const std::map<absl::StatusCode, int64_t>& errors) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [code, count] : errors) {
    json[absl::StatusCodeToString(code)] = count;
  }
  return json;
}

void PrintErrors(const char* what, const std::map<absl::StatusCode, int64_t>& errors) {
  for (const auto& [code, count] : errors) {
    absl::PrintF("%s ended %s: %d\n", what, absl::StatusCodeToString(code), count);
  }
}

double Milliseconds(absl::Duration duration) { return absl::ToDoubleMilliseconds(duration); }

void PrintReport(const Globals& globals, const BenchOptions& options,
                 const loadgen::LoadReport& report) {
  const loadgen::Histogram& latency = report.latency;
  if (globals.json) {
    PrintJson({{"clients", options.clients},
               {"items_per_call", options.items_per_call},
               {"seconds", absl::ToDoubleSeconds(report.measured)},
               {"calls", report.calls_ok},
               {"items", report.items_ok},
               {"calls_per_s", report.calls_per_second()},
               {"items_per_s", report.items_per_second()},
               {"latency_ms",
                {{"mean", Milliseconds(latency.mean())},
                 {"p50", Milliseconds(latency.Quantile(0.5))},
                 {"p90", Milliseconds(latency.Quantile(0.9))},
                 {"p99", Milliseconds(latency.Quantile(0.99))},
                 {"max", Milliseconds(latency.max())}}},
               {"call_errors", ErrorsToJson(report.call_errors)},
               {"item_errors", ErrorsToJson(report.item_errors)}});
    return;
  }
  absl::PrintF("%d clients, %d item%s a call, %.1f s\n", options.clients, options.items_per_call,
               options.items_per_call == 1 ? "" : "s", absl::ToDoubleSeconds(report.measured));
  absl::PrintF("throughput  %.1f items/s   %.1f calls/s\n", report.items_per_second(),
               report.calls_per_second());
  absl::PrintF("latency     p50 %.2f ms   p90 %.2f ms   p99 %.2f ms   max %.2f ms\n",
               Milliseconds(latency.Quantile(0.5)), Milliseconds(latency.Quantile(0.9)),
               Milliseconds(latency.Quantile(0.99)), Milliseconds(latency.max()));
  PrintErrors("calls", report.call_errors);
  PrintErrors("items", report.item_errors);
}

absl::Status RunBench(const Globals& globals, const BenchOptions& options) {
  if (options.words[0] < 1 || options.words[1] < options.words[0]) {
    return UsageError("--words: expected MIN MAX, both at least 1");
  }
  loadgen::GrpcCalls calls{.method = "/terminus.v1.Embedding/Embed",
                           .timeout = globals.timeout(),
                           .count_items = loadgen::CountEmbedItems};
  TERMINUS_ASSIGN_OR_RETURN(calls.requests, MakeRequests(options));
  // Fails at once, and with advice, when there is nobody to measure.
  TERMINUS_RETURN_IF_ERROR(Client(globals).GetStatus().status());
  for (int i = 0; i < options.channels; ++i) {
    calls.channels.push_back(rpc::MakeChannel(globals.address, 2 * kMaxMessageBytes));
  }
  TERMINUS_ASSIGN_OR_RETURN(const loadgen::LoadReport report,
                            loadgen::RunClosedLoop({.clients = options.clients,
                                                    .warmup = absl::Seconds(options.warmup_seconds),
                                                    .duration = absl::Seconds(options.seconds),
                                                    .drain = globals.timeout() + absl::Seconds(5)},
                                                   loadgen::MakeStartCall(std::move(calls))));
  PrintReport(globals, options, report);
  return report.items_ok > 0 ? absl::OkStatus()
                             : absl::UnavailableError("no item was embedded; see the errors above");
}

}  // namespace

void AddBenchCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* bench = app.add_subcommand(
      "bench", "Closed-loop load: each client has one call in flight; prints rate and latency");
  auto options = std::make_shared<BenchOptions>();
  bench->add_flag("--text", options->text, "Generated texts (default, unless --image is given)");
  bench->add_option("--image", options->images, "Image files, or folders of them");
  bench->add_option("--clients", options->clients, "Clients")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  bench->add_option("--seconds", options->seconds, "How long to measure")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  bench->add_option("--warmup", options->warmup_seconds, "Seconds of load before that")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  bench->add_option("--items-per-call", options->items_per_call, "Items in each call")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  bench->add_option("--words", options->words, "Fewest and most words of a text")
      ->expected(2)
      ->capture_default_str();
  bench->add_option("--channels", options->channels, "Connections the clients are spread over")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  bench->callback([&globals, &command, options] {
    command = [&globals, options] { return RunBench(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
