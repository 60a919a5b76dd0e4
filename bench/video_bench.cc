// Ours and half of the peer in bench/area_video.py, told line by line:
//
//     video_bench --bundle FOLDER --clip FILE --threads N
//
// prints "ready", then reads lines until its input ends:
//     service SECONDS ADDRESS → "ran CLIPS SECONDS": EncodeBatch of the clip, one after another, at
//                               the video service that listens there
//     model SECONDS           → "ran CLIPS SECONDS": the bundle's video encoder alone, over the
//                               frames that the service samples, decoded beforehand
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <sstream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/media/video/sample.h"
#include "common/rpc/channel.h"
#include "common/rpc/status.h"
#include "common/serving/passive_wait.h"
#include "models/bundle/bundle.h"
#include "models/bundle/manifest.h"
#include "terminus/v1/encoder.grpc.pb.h"

namespace terminus::bench {
namespace {

constexpr int64_t kMaxMessageBytes = 128 << 20;

// "ran CALLS SECONDS" of calls that go on for at least `limit_s`.
absl::StatusOr<std::string> Repeat(double limit_s, const std::function<absl::Status()>& call) {
  const auto start = std::chrono::steady_clock::now();
  double elapsed_s = 0;
  int calls = 0;
  while (elapsed_s < limit_s) {
    TERMINUS_RETURN_IF_ERROR(call());
    ++calls;
    elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return absl::StrCat("ran ", calls, " ", elapsed_s);
}

absl::StatusOr<std::string> RunService(double limit_s, const std::string& address,
                                       const std::string& clip) {
  const auto stub = v1::Encoder::NewStub(rpc::MakeChannel(address, kMaxMessageBytes));
  v1::EncodeBatchRequest request;
  request.add_items()->mutable_content()->mutable_video()->set_data(clip);
  const auto encode = [&]() -> absl::Status {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    v1::EncodeBatchResponse response;
    TERMINUS_RETURN_IF_ERROR(rpc::FromGrpc(stub->EncodeBatch(&context, request, &response)));
    return rpc::FromProto(response.results(0).status());
  };
  // A service that still loads its model says so.
  const absl::Time patience = absl::Now() + absl::Seconds(60);
  while (absl::IsUnavailable(encode()) && absl::Now() < patience) {
    absl::SleepFor(absl::Milliseconds(100));
  }
  return Repeat(limit_s, encode);
}

absl::Status Serve(const std::string& bundle, const std::string& clip_path, int threads) {
  TERMINUS_ASSIGN_OR_RETURN(const std::string clip, base::ReadFile(clip_path, kMaxMessageBytes));
  TERMINUS_ASSIGN_OR_RETURN(const auto manifest, models::bundle::ReadManifest(bundle));
  TERMINUS_ASSIGN_OR_RETURN(
      const auto model, models::bundle::LoadVideo(manifest, {.device = "cpu", .threads = threads}));
  TERMINUS_ASSIGN_OR_RETURN(auto frames,
                            media::video::SampleFrames(clip, {}, {.count = model.frames},
                                                       *model.preprocessor, {.threads = threads}));
  const executor::VideoBatch batch{.frames = {.count = model.frames,
                                              .height = model.preprocessor->height(),
                                              .width = model.preprocessor->width(),
                                              .pixels = std::move(frames.pixels)},
                                   .offsets = {0, model.frames}};
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream fields(line);
    std::string command, address;
    double limit_s = 0;
    fields >> command >> limit_s >> address;
    absl::StatusOr<std::string> answer =
        absl::InvalidArgumentError(absl::StrCat("not a command: ", line));
    if (command == "service") {
      answer = RunService(limit_s, address, clip);
    } else if (command == "model") {
      answer = Repeat(limit_s, [&] { return model.encoder->Encode(batch).status(); });
    }
    TERMINUS_RETURN_IF_ERROR(answer.status());
    std::cout << *answer << std::endl;
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  // As in the services.
  serving::RestartWithPassiveWait(argv);
  // What is logged must not come between the lines of the protocol.
  base::InitLog("video_bench", "warn");
  CLI::App app("Times a video's embedding, told line by line.", "video_bench");
  std::string bundle, clip;
  int threads = 0;
  app.add_option("--bundle", bundle)->required();
  app.add_option("--clip", clip)->required();
  app.add_option("--threads", threads)->required()->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = Serve(bundle, clip, threads);
  if (!status.ok()) {
    std::fprintf(stderr, "video_bench: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
