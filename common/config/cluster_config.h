#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

// The one schema of terminus.yaml, read by every process; docs/configuration.md describes each key.
// Durations are keys that end in _ms; addresses are gRPC's: "unix:/path" or "host:port".
namespace terminus::config {

// What a client may send. A breach is answered INVALID_ARGUMENT with the limit in the message.
struct Limits {
  int64_t max_message_bytes = 64 << 20;
  int max_items = 256;
  int max_candidates = 256;
  int max_stream_in_flight = 256;
  int64_t max_text_bytes = 1 << 20;
  int64_t max_image_bytes = 20 << 20;
  int64_t max_image_pixels = 50'000'000;
  int64_t max_video_bytes = 50 << 20;
  // Of one frame.
  int64_t max_video_pixels = 8'912'896;
  absl::Duration max_video_duration = absl::Hours(1);
  // Sampled from one video.
  int max_video_frames = 256;
};

// Permits of the router; past them a call is answered RESOURCE_EXHAUSTED with a retry delay.
struct AdmissionOptions {
  int64_t max_items = 4096;
  int64_t max_bytes = 512LL << 20;
  absl::Duration retry_delay = absl::Milliseconds(100);
};

// Batching of one modality. A batch closes as soon as a replica is idle, or when it is full.
struct BatchingOptions {
  // Most items in a batch.
  int max_batch_items = 64;
  // Most cost in a batch: tokens of text, patches of images, frames of videos. A single item may
  // exceed it.
  int64_t max_batch_cost = 16384;
  // Batches outstanding at a replica before it counts as busy. 0: what the replica says of itself
  // (2 on a GPU, so that the next is decoded and copied while the last computes; 1 on a CPU).
  int max_in_flight = 0;
  // A task is answered DEADLINE_EXCEEDED without being executed once less than this is left.
  absl::Duration min_time_left = absl::Milliseconds(1);
};

struct HealthOptions {
  // Between two looks at a replica that is not ready, and the patience with one look.
  absl::Duration interval = absl::Milliseconds(500);
  absl::Duration timeout = absl::Seconds(2);
};

struct RouterConfig {
  std::vector<std::string> listen = {"127.0.0.1:8500"};
  std::string metrics = "127.0.0.1:0";
  Limits limits;
  AdmissionOptions admission;
  HealthOptions health;
  BatchingOptions text_batching;
  BatchingOptions vision_batching = {.max_batch_items = 32, .max_batch_cost = 32 * 256};
  BatchingOptions video_batching = {.max_batch_items = 16, .max_batch_cost = 128};
  std::vector<std::string> text_replicas;
  std::vector<std::string> vision_replicas;
  std::vector<std::string> video_replicas;
  std::vector<std::string> decoder_replicas;
  // Of encoded contents that calls to the decoder use again; 0: none are kept.
  int64_t cache_max_bytes = 64 << 20;
  // Whether the served model can be changed by a call: "on", "off", or "auto", which is on where
  // `listen` holds Unix sockets and loopback addresses only. Likewise of the services.
  std::string model_loading = "auto";
  // How long a change may take that comes without a deadline of its own.
  absl::Duration load_timeout = absl::Minutes(10);
  // For calls that come without a deadline of their own.
  absl::Duration default_deadline = absl::Seconds(60);
  // How long calls in flight may go on after SIGTERM.
  absl::Duration drain_timeout = absl::Seconds(10);
};

struct EncoderConfig {
  std::vector<std::string> listen;
  std::string metrics = "127.0.0.1:0";
  // "cpu", "cuda:N", or "auto": the first GPU, or the CPU where there is none.
  std::string device = "auto";
  // "float32", on a GPU also "bfloat16" and "fp8", or "auto": bfloat16 on a GPU, else float32.
  std::string precision = "auto";
  // Compute threads of LibTorch; 0: all cores.
  int threads = 0;
  // Threads that decode and resize images or videos, or tokenise. 0: as many as `threads`.
  int preprocess_threads = 0;
  // Batches taken in at once; 0: 2 on a GPU, 1 on a CPU. One more is refused.
  int max_in_flight = 0;
  std::string model_loading = "auto";
  Limits limits;
  absl::Duration drain_timeout = absl::Seconds(10);
};

// Output formats: how answers are kept to a JSON schema or a regular expression. A source that
// needs more is answered INVALID_ARGUMENT.
struct GrammarOptions {
  int64_t source_bytes = 64 << 10;
  // To compile one format: processor time, and memory meanwhile.
  absl::Duration compile_time = absl::Seconds(5);
  int64_t compile_bytes = 512 << 20;
  int compile_threads = 2;
  // Formats that wait for one of these threads; one more is refused.
  int max_waiting = 64;
  // Compiled formats kept for the next call.
  int64_t cache_bytes = 128 << 20;
  // Processor time for each token of an answer, and memory for the state of one answer.
  absl::Duration token_time = absl::Milliseconds(50);
  int64_t answer_bytes = 64 << 20;
  // Threads that find the tokens that may come next. 0: half of the cores, 2 to 16.
  int mask_threads = 0;
};

// The language model over several processes, ranks, that a front gives steps to.
struct GridOptions {
  int pipeline = 1;
  int tensor = 1;
  // Layers of each stage, such as "17/15". Empty: by cost.
  std::string layers;
  // Address of the front. Empty: the front starts the ranks itself, on this machine.
  std::string rendezvous;
  std::string secret_file;
  // -1: the front, which is the service.
  int rank = -1;
  absl::Duration join_timeout = absl::Minutes(2);
  absl::Duration load_timeout = absl::Minutes(10);

  int world() const { return pipeline * tensor; }
};

struct DecoderConfig {
  std::vector<std::string> listen;
  std::string metrics = "127.0.0.1:0";
  // "cpu", "cuda:N", or "auto".
  std::string device = "auto";
  // Compute threads of LibTorch; 0: all cores.
  int threads = 0;
  // Sequences decoded together; more wait in order of arrival. 0: 8 on a CPU, 512 on a GPU.
  int max_sequences = 0;
  // Generate calls inside, those that wait included; one more is refused. 0: twice max_sequences,
  // at least 256.
  int max_requests = 0;
  // Tokens of one step, prompts' and decoded ones together. 0: 128 on a CPU, 8192 on a GPU.
  int token_budget = 0;
  // Memory for keys and values. 0: 512 MiB on a CPU; on a GPU what is left of 0.9 of its memory.
  int64_t kv_bytes = 0;
  // Where a GPU's fastest ways of computing products are kept between loads. Empty: `tuning` in
  // TERMINUS_HOME.
  std::string tuning_directory;
  int64_t max_message_bytes = 64 << 20;
  // Text of one request.
  int64_t max_text_bytes = 1 << 20;
  GridOptions grid;
  GrammarOptions grammar;
  std::string model_loading = "auto";
  // For calls that come without a deadline of their own.
  absl::Duration default_deadline = absl::Minutes(5);
  absl::Duration drain_timeout = absl::Seconds(10);
};

struct ClusterConfig {
  // Folder that holds bundle.yaml.
  std::string bundle;
  // trace, debug, info, warn, error.
  std::string log_level = "info";
  RouterConfig router;
  EncoderConfig text;
  EncoderConfig vision;
  EncoderConfig video;
  DecoderConfig decoder;
};

// Reads and checks a whole config; keys that are not given keep their defaults. Overrides are
// written "text.threads=2" and come last. Every error names the path of what is wrong, such as
// "router.batching.text.max_batch_items: 0, expected at least 1"; an unknown key names the nearest.
absl::StatusOr<ClusterConfig> ParseClusterConfig(const std::string& yaml);
absl::StatusOr<ClusterConfig> ParseClusterConfig(const std::string& yaml,
                                                 const std::vector<std::string>& overrides);

// As above, from a file; an empty path stands for an empty file.
absl::StatusOr<ClusterConfig> LoadClusterConfig(const std::string& path,
                                                const std::vector<std::string>& overrides = {});

// YAML that ParseClusterConfig reads back to the same config.
std::string ToYaml(const ClusterConfig& config);

}  // namespace terminus::config
