#include "common/config/schema.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace terminus::config {
namespace {

constexpr int64_t kMaxInt = std::numeric_limits<int>::max();
// A day: whatever is longer is a mistake in the unit.
constexpr int64_t kMaxMilliseconds = 86'400'000;

Check AtLeast(int64_t min) {
  return {.min = min, .max = kMaxInt, .expected = absl::StrCat("at least ", min)};
}

Check Between(int64_t min, int64_t max) {
  return {.min = min, .max = max, .expected = absl::StrCat(min, " to ", max)};
}

Check LargeAtLeast(int64_t min) { return {.min = min, .expected = absl::StrCat("at least ", min)}; }

bool IsHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  return colon != std::string::npos && colon > 0 &&
         absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= 0 && port <= 65535;
}

bool IsListenAddress(const std::string& text) {
  absl::string_view path = text;
  return absl::ConsumePrefix(&path, "unix:") ? !path.empty() : IsHostPort(text);
}

bool IsReplicaAddress(const std::string& text) {
  absl::string_view name = text;
  return absl::ConsumePrefix(&name, "dns:///") ? IsHostPort(std::string(name))
                                               : IsListenAddress(text);
}

bool IsLogLevel(const std::string& text) {
  static const char* const kLevels[] = {"trace", "debug", "info", "warn", "error"};
  return std::find(std::begin(kLevels), std::end(kLevels), text) != std::end(kLevels);
}

bool IsDevice(const std::string& text) {
  absl::string_view index = text;
  int number = 0;
  return text == "auto" || text == "cpu" ||
         (absl::ConsumePrefix(&index, "cuda:") && absl::SimpleAtoi(index, &number) && number >= 0);
}

const Check kAnyText;
const Check kListenAddress{.accepts = IsListenAddress, .expected = "unix:/path or host:port"};
const Check kReplicaAddress{.accepts = IsReplicaAddress,
                            .expected = "unix:/path, host:port or dns:///name:port"};
const Check kHostPort{.accepts = IsHostPort, .expected = "host:port"};
const Check kLogLevel{.accepts = IsLogLevel, .expected = "trace, debug, info, warn or error"};
const Check kDevice{.accepts = IsDevice, .expected = "auto, cpu or cuda:N"};
const Check kMilliseconds = Between(0, kMaxMilliseconds);
const Check kSomeMilliseconds = Between(1, kMaxMilliseconds);

// Gathers the table; every name below is a key as users write it.
class Builder {
 public:
  explicit Builder(Schema& schema) : schema_(schema) {}

  // What is added until the next call goes below `path`.
  void Section(const std::string& path, const char* doc) {
    prefix_ = path.empty() ? "" : path + ".";
    schema_.sections.push_back({path, doc});
  }

  void Key(const char* name, Value value, const Check& check, const char* doc) {
    schema_.keys.push_back({prefix_ + name, value, check, doc});
  }

 private:
  Schema& schema_;
  std::string prefix_;
};

void AddLimits(const std::string& path, const char* doc, Limits& limits, Builder& add) {
  add.Section(path, doc);
  add.Key("max_message_bytes", &limits.max_message_bytes, Between(1024, kMaxInt),
          "Bytes of one gRPC message, either way. A larger one is answered RESOURCE_EXHAUSTED.");
  add.Key("max_items", &limits.max_items, AtLeast(1), "Items of one call.");
  add.Key("max_candidates", &limits.max_candidates, AtLeast(1), "Candidates of one Score call.");
  add.Key("max_stream_in_flight", &limits.max_stream_in_flight, AtLeast(1),
          "Items that a stream takes in ahead of its answers.");
  add.Key("max_text_bytes", &limits.max_text_bytes, LargeAtLeast(1), "Bytes of one text.");
  add.Key("max_image_bytes", &limits.max_image_bytes, LargeAtLeast(1),
          "Bytes of one encoded image.");
  add.Key("max_image_pixels", &limits.max_image_pixels, LargeAtLeast(1),
          "Pixels that an image's header may claim; more are refused before any memory is taken.");
}

void AddBatching(const std::string& path, const char* doc, const char* cost_doc,
                 BatchingOptions& batching, Builder& add) {
  add.Section(path, doc);
  add.Key("max_batch_items", &batching.max_batch_items, AtLeast(1), "Most items in a batch.");
  add.Key("max_batch_cost", &batching.max_batch_cost, LargeAtLeast(1), cost_doc);
  add.Key("max_in_flight", &batching.max_in_flight, Between(0, 64),
          "Batches outstanding at a replica before it counts as busy. 0: what the replica says of "
          "itself, 2 on a GPU (the next is decoded and copied while the last computes) and 1 on a "
          "CPU.");
  add.Key("min_time_left_ms", &batching.min_time_left, kMilliseconds,
          "With less than this left an item is answered DEADLINE_EXCEEDED without being executed.");
}

void AddRouter(RouterConfig& router, Builder& add) {
  add.Section("router", "The process that clients talk to.");
  add.Key("listen", &router.listen, kListenAddress, "Where clients reach it. Port 0: a free one.");
  add.Key("metrics", &router.metrics, kHostPort,
          "Where Prometheus scrapes /metrics. Port 0: a free one, shown by `terminus status`.");
  add.Key("default_deadline_ms", &router.default_deadline, kSomeMilliseconds,
          "Deadline of calls that come without one.");
  add.Key("drain_timeout_ms", &router.drain_timeout, kMilliseconds,
          "How long calls in flight may go on after SIGTERM.");
  AddLimits("router.limits",
            "What a client may send. A breach is answered INVALID_ARGUMENT with the limit in the "
            "message, by the item's status where it is an item's fault.",
            router.limits, add);
  add.Section("router.admission",
              "Permits. Past them a call is answered RESOURCE_EXHAUSTED with a retry delay.");
  add.Key("max_items", &router.admission.max_items, LargeAtLeast(1),
          "Items inside the router at once.");
  add.Key("max_bytes", &router.admission.max_bytes, LargeAtLeast(1),
          "Bytes of content inside the router at once.");
  add.Key("retry_delay_ms", &router.admission.retry_delay, kMilliseconds,
          "How long a refused client is asked to wait.");
  add.Section("router.health", "How replicas are watched.");
  add.Key("interval_ms", &router.health.interval, kSomeMilliseconds,
          "Between two looks at a replica that is not ready.");
  add.Key("timeout_ms", &router.health.timeout, kSomeMilliseconds, "Patience with one look.");
  AddBatching("router.batching.text",
              "Batches of texts. A batch closes as soon as a replica is idle, or when it is full.",
              "Most tokens in a batch. A single longer text makes a batch of its own.",
              router.text_batching, add);
  AddBatching("router.batching.vision", "Batches of images.",
              "Most patches in a batch: cells of 32×32 pixels of an image.", router.vision_batching,
              add);
  add.Section("router.replicas",
              "The encoders to send batches to. `terminus up` fills in those that it starts.");
  add.Key("text", &router.text_replicas, kReplicaAddress, "Replicas of terminus-text.");
  add.Key("vision", &router.vision_replicas, kReplicaAddress, "Replicas of terminus-vision.");
}

void AddEncoder(const std::string& path, const char* doc, EncoderConfig& encoder, Builder& add) {
  add.Section(path, doc);
  add.Key("listen", &encoder.listen, kListenAddress, "Where the router reaches it.");
  add.Key("model", &encoder.model, kAnyText,
          "Folder of one model, served by itself in place of the bundle's. Empty: the bundle's.");
  add.Key("metrics", &encoder.metrics, kHostPort, "Where Prometheus scrapes /metrics.");
  add.Key("device", &encoder.device, kDevice,
          "Where the model runs. auto: cuda:0 if there is one.");
  add.Key("threads", &encoder.threads, Between(0, 1024), "Compute threads. 0: all cores.");
  add.Key("preprocess_threads", &encoder.preprocess_threads, Between(0, 1024),
          "Threads that tokenise, or decode and resize. 0: as many as there are cores.");
  add.Key("max_in_flight", &encoder.max_in_flight, Between(0, 64),
          "Batches taken in at once; one more is refused. 0: 2 on a GPU, 1 on a CPU.");
  add.Key("drain_timeout_ms", &encoder.drain_timeout, kMilliseconds,
          "How long batches in flight may go on after SIGTERM.");
  AddLimits(path + ".limits", "What it takes from the router.", encoder.limits, add);
}

// Levenshtein's distance.
size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

absl::string_view LastName(absl::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == absl::string_view::npos ? path : path.substr(dot + 1);
}

}  // namespace

Schema SchemaOf(ClusterConfig& config) {
  Schema schema;
  Builder add(schema);
  add.Section("", "For all processes.");
  add.Key("bundle", &config.bundle, kAnyText,
          "Folder that holds bundle.yaml. Empty: the default one, which setup made.");
  add.Key("log_level", &config.log_level, kLogLevel, "Least severe level that is logged.");
  AddRouter(config.router, add);
  AddEncoder("text", "The text encoder, terminus-text.", config.text, add);
  AddEncoder("vision", "The image encoder, terminus-vision.", config.vision, add);
  return schema;
}

std::string NearestPath(const Schema& schema, const std::string& path) {
  // A right name in the wrong section is a likelier slip than a path that looks alike by chance.
  constexpr size_t kOtherSection = 3;
  std::string nearest;
  size_t least = std::numeric_limits<size_t>::max();
  const auto consider = [&](const std::string& known) {
    const size_t distance = std::min(EditDistance(path, known),
                                     EditDistance(LastName(path), LastName(known)) + kOtherSection);
    if (distance < least) {
      least = distance;
      nearest = known;
    }
  };
  for (const Key& key : schema.keys) {
    consider(key.path);
  }
  for (const Section& section : schema.sections) {
    if (!section.path.empty()) {
      consider(section.path);
    }
  }
  return nearest;
}

}  // namespace terminus::config
