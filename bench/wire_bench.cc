// Puts services under load over gRPC, on behalf of bench/area_router.py:
//
//     wire_bench ITEMS        ITEMS: a file with one text a line, or a folder of images
//
// prints "ready", then reads lines until its input ends:
//     hops SECONDS ROUTER DIRECT PASS ECHO
//         One client, one text a call, in turn: Embed at ROUTER, EncodeBatch at DIRECT, Embed at
//         PASS (a router in front of ECHO), EncodeBatch at ECHO.
//         → "hops CALLS ROUTER_US DIRECT_US PASS_US ECHO_US", the medians.
//     load SECONDS CLIENTS ADDRESS
//         Closed-loop clients, one item a call: Embed at ADDRESS, after a second of warm-up.
//         → "load ITEMS_PER_S P50_MS P99_MS"
// Addresses are gRPC's. Any call that fails ends the run: a figure of failing calls says nothing.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/channel.h"
#include "terminus/v1/embedding.grpc.pb.h"
#include "terminus/v1/encoder.grpc.pb.h"
#include "tools/loadgen/closed_loop.h"
#include "tools/loadgen/grpc_calls.h"

namespace terminus::bench {
namespace {

// Microseconds, kept one by one: a histogram's buckets are wider than what is looked for.
using Times = std::vector<double>;

constexpr int64_t kMaxMessageBytes = 64 << 20;
constexpr size_t kMaxItemsBytes = 16 << 20;
constexpr absl::Duration kCallTimeout = absl::Seconds(10);
// Connections that the clients of a load share.
constexpr int kConnections = 4;

absl::Status FromGrpc(const grpc::Status& status, absl::string_view what) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrFormat("%s: %s", what, status.error_message()));
}

// Of at least one; reorders them.
double Median(Times& times) {
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

// Makes one call and returns its time in microseconds; fails unless its one item came out.
template <class Response, class Call>
absl::StatusOr<double> TimeCall(absl::string_view what, Call call) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kCallTimeout));
  Response response;
  const auto start = std::chrono::steady_clock::now();
  const grpc::Status status = call(&context, &response);
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  if (!status.ok()) {
    return FromGrpc(status, what);
  }
  if (response.results_size() != 1 || response.results(0).status().code() != 0) {
    return absl::InternalError(absl::StrFormat("%s: the item failed", what));
  }
  return took.count();
}

using TextCall = std::function<absl::StatusOr<double>(const std::string& text)>;

TextCall EmbedAt(const std::string& address) {
  std::shared_ptr<v1::Embedding::Stub> stub =
      v1::Embedding::NewStub(rpc::MakeChannel(address, kMaxMessageBytes));
  return [stub, address](const std::string& text) {
    v1::EmbedRequest request;
    request.add_items()->set_text(text);
    return TimeCall<v1::EmbedResponse>(address, [&](auto* context, auto* response) {
      return stub->Embed(context, request, response);
    });
  };
}

TextCall EncodeAt(const std::string& address) {
  std::shared_ptr<v1::Encoder::Stub> stub =
      v1::Encoder::NewStub(rpc::MakeChannel(address, kMaxMessageBytes));
  return [stub, address](const std::string& text) {
    v1::EncodeBatchRequest request;
    request.add_items()->mutable_content()->set_text(text);
    return TimeCall<v1::EncodeBatchResponse>(address, [&](auto* context, auto* response) {
      return stub->EncodeBatch(context, request, response);
    });
  };
}

absl::StatusOr<std::string> Hops(const std::vector<std::string>& texts, absl::Duration duration,
                                 const std::string& router, const std::string& direct,
                                 const std::string& pass, const std::string& echo) {
  // What follows an encoder's work finds the caches emptied by it: those that are compared with
  // each other follow the same kind of call.
  const std::array<TextCall, 4> calls = {EmbedAt(router), EmbedAt(pass), EncodeAt(direct),
                                         EncodeAt(echo)};
  std::array<Times, 4> times;
  for (const TextCall& call : calls) {
    // Connects, outside the measurement.
    TERMINUS_RETURN_IF_ERROR(call(texts[0]).status());
  }
  const absl::Time end = absl::Now() + duration;
  for (size_t i = 0; i == 0 || absl::Now() < end; ++i) {
    for (size_t j = 0; j < calls.size(); ++j) {
      // Each begins as often as the others: what comes after an idle moment is slower.
      const size_t k = (i + j) % calls.size();
      TERMINUS_ASSIGN_OR_RETURN(const double took, calls[k](texts[i % texts.size()]));
      times[k].push_back(took);
    }
  }
  return absl::StrFormat("hops %d %.1f %.1f %.1f %.1f", times[0].size(), Median(times[0]),
                         Median(times[2]), Median(times[1]), Median(times[3]));
}

absl::StatusOr<std::string> Load(const std::vector<v1::Content>& items, absl::Duration duration,
                                 int clients, const std::string& address) {
  tools::loadgen::GrpcCalls calls{.method = "/terminus.v1.Embedding/Embed",
                                  .timeout = kCallTimeout,
                                  .count_items = tools::loadgen::CountEmbedItems};
  for (int i = 0; i < kConnections; ++i) {
    calls.channels.push_back(rpc::MakeChannel(address, kMaxMessageBytes));
  }
  for (const v1::Content& item : items) {
    v1::EmbedRequest request;
    *request.add_items() = item;
    calls.requests.push_back(request.SerializeAsString());
  }
  TERMINUS_ASSIGN_OR_RETURN(
      const tools::loadgen::LoadReport report,
      tools::loadgen::RunClosedLoop({.clients = clients, .duration = duration},
                                    tools::loadgen::MakeStartCall(std::move(calls))));
  if (!report.call_errors.empty() || !report.item_errors.empty()) {
    return absl::InternalError(absl::StrFormat("%d kinds of calls and %d kinds of items failed",
                                               report.call_errors.size(),
                                               report.item_errors.size()));
  }
  return absl::StrFormat("load %.2f %.3f %.3f", report.items_per_second(),
                         absl::ToDoubleMilliseconds(report.latency.Quantile(0.5)),
                         absl::ToDoubleMilliseconds(report.latency.Quantile(0.99)));
}

absl::StatusOr<std::string> Answer(const std::vector<v1::Content>& items, const std::string& line) {
  std::istringstream fields(line);
  std::string command;
  double seconds = 0;
  fields >> command >> seconds;
  if (command == "hops") {
    std::string router, direct, pass, echo;
    if (items[0].has_text() && fields >> router >> direct >> pass >> echo) {
      std::vector<std::string> texts;
      for (const v1::Content& item : items) {
        texts.push_back(item.text());
      }
      return Hops(texts, absl::Seconds(seconds), router, direct, pass, echo);
    }
  } else if (command == "load") {
    int clients = 0;
    std::string address;
    if (fields >> clients >> address) {
      return Load(items, absl::Seconds(seconds), clients, address);
    }
  }
  return absl::InvalidArgumentError(absl::StrFormat("not a command: %s", line));
}

// At least one.
absl::StatusOr<std::vector<v1::Content>> ReadItems(const std::string& path) {
  std::vector<v1::Content> items;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      TERMINUS_ASSIGN_OR_RETURN(*items.emplace_back().mutable_image(),
                                base::ReadFile(entry.path().string(), kMaxItemsBytes));
    }
  } else {
    TERMINUS_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path, kMaxItemsBytes));
    for (const absl::string_view text : absl::StrSplit(content, '\n', absl::SkipEmpty())) {
      items.emplace_back().set_text(std::string(text));
    }
  }
  if (items.empty()) {
    return absl::InvalidArgumentError(absl::StrFormat("%s holds nothing", path));
  }
  return items;
}

int Main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: wire_bench ITEMS\n");
    return 2;
  }
  const auto items = ReadItems(argv[1]);
  if (!items.ok()) {
    std::fprintf(stderr, "wire_bench: %s\n", items.status().ToString().c_str());
    return 1;
  }
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto answer = Answer(*items, line);
    if (!answer.ok()) {
      std::fprintf(stderr, "wire_bench: %s\n", answer.status().ToString().c_str());
      return 1;
    }
    std::cout << *answer << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
