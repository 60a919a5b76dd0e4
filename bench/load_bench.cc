// Ours among the contenders of bench/gpu_load.py: loads a language model once, in a process of its
// own, and says what that took:
//
//     load_bench --folder FOLDER [--device cuda:0] [--logits FILE]
//
// prints one line of JSON: seconds from the call to the last byte in its place, the device being
// warm; bytes of the folder's weight files; host memory in MiB, anonymous and shared, of the
// process before and at most meanwhile. FILE gets the float32 logits behind the tokens 1, 2, 3.
#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/executor/guard.h"
#include "models/cuda/library.h"
#include "models/decoder/load.h"

namespace terminus::bench {
namespace {

using Clock = std::chrono::steady_clock;

// RssAnon + RssShmem: file pages are the page cache's.
double HostMib() {
  int64_t kib = 0;
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    if (int64_t value = 0; (name == "RssAnon:" || name == "RssShmem:") && status >> value) {
      kib += value;
    }
  }
  return static_cast<double>(kib) / 1024;
}

// Looks at the host memory every few milliseconds until told to stop.
class MemoryWatch {
 public:
  MemoryWatch() : thread_([this] { Watch(); }) {}
  ~MemoryWatch() { Stop(); }

  double Stop() {
    stopping_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
    return most_;
  }

 private:
  void Watch() {
    while (!stopping_) {
      most_ = std::max(most_, HostMib());
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    most_ = std::max(most_, HostMib());
  }

  std::atomic<bool> stopping_ = false;
  double most_ = 0;  // Of the thread, until it is joined.
  std::thread thread_;
};

uint64_t WeightFileBytes(const std::string& folder) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    bytes += entry.path().extension() == ".safetensors" ? entry.file_size() : 0;
  }
  return bytes;
}

absl::Status WriteLogits(models::decoder::CausalLm& lm, const std::string& path) {
  const std::vector<int32_t> ids = {1, 2, 3};
  const std::vector<int32_t> positions = {0, 1, 2};
  const std::vector<int32_t> query = {0, 3};
  const std::vector<int32_t> blocks = {0, 1};
  const std::vector<int32_t> block = {0};
  const std::vector<int32_t> length = {3};
  const std::vector<int32_t> wanted = {2};
  TERMINUS_ASSIGN_OR_RETURN(
      const models::decoder::Logits logits,
      lm.Forward({.token_ids = ids,
                  .positions = positions,
                  .query_indptr = query,
                  .kv = {.indptr = blocks, .indices = block, .last_page_len = length},
                  .logits_tokens = wanted,
                  .hidden_states = {}}));
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(logits.values.data()),
             static_cast<std::streamsize>(logits.values.size() * sizeof(float)));
  return file.flush() ? absl::OkStatus()
                      : absl::UnavailableError(absl::StrCat("cannot write ", path));
}

absl::Status Run(const std::string& folder, const std::string& device_name,
                 const std::string& logits) {
  const c10::InferenceMode inference;
  at::Device device(device_name);
  if (device.is_cuda()) {
    TERMINUS_RETURN_IF_ERROR(models::cuda::FindDevice(device.index()).status());
    at::zeros({1}, device).cpu();
  }
  const double idle = HostMib();
  MemoryWatch memory;
  const auto start = Clock::now();
  TERMINUS_ASSIGN_OR_RETURN(const auto lm,
                            models::decoder::LoadCausalLm(folder, device, {.kv_blocks = 1}));
  if (device.is_cuda()) {
    c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double most = memory.Stop();
  if (!logits.empty()) {
    TERMINUS_RETURN_IF_ERROR(WriteLogits(*lm, logits));
  }
  const uint64_t bytes = WeightFileBytes(folder);
  std::cout << nlohmann::json({{"seconds", seconds},
                               {"bytes", bytes},
                               {"gib_per_s", static_cast<double>(bytes) / (1 << 30) / seconds},
                               {"idle_mib", idle},
                               {"peak_mib", most}})
            << std::endl;
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  base::InitLog("load_bench", "warn");
  CLI::App app("Times the loading of a language model.", "load_bench");
  std::string folder, logits;
  std::string device = "cuda:0";
  app.add_option("--folder", folder)->required();
  app.add_option("--device", device)->check(CLI::IsMember({"cpu", "cuda:0"}));
  app.add_option("--logits", logits);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = executor::RunGuarded([&] { return Run(folder, device, logits); });
  if (!status.ok()) {
    std::fprintf(stderr, "load_bench: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace terminus::bench

int main(int argc, char** argv) { return terminus::bench::Main(argc, argv); }
