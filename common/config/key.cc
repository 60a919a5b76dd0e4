#include "common/config/key.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/key_parts.h"

namespace terminus::config {
namespace {

std::vector<Key> BatchingKeys(const std::string& prefix, const std::string& cost_unit, Member items,
                              Member cost, Member in_flight, Member time_left) {
  return {
      {prefix + "max_batch_items", items, "Most items in a batch. 1 turns batching off.", 1, 4096},
      {prefix + "max_batch_cost", cost,
       "Most " + cost_unit + " in a batch. A single item may exceed it and then travels alone.", 1},
      {prefix + "max_in_flight", in_flight,
       "Batches outstanding at a replica before it counts as busy. 0: as many as the replica says "
       "of itself, 2 on a GPU and 1 on a CPU.",
       0, 16},
      {prefix + "min_time_left_ms", time_left,
       "A task with less time left is answered DEADLINE_EXCEEDED without being executed.", 0,
       kHourMs},
  };
}

std::vector<Key> LimitKeys(const std::string& prefix, Member message, Member items,
                           Member candidates, Member stream, Member text, Member image,
                           Member pixels, Member video, Member frame_pixels, Member duration,
                           Member frames) {
  return {
      {prefix + "max_message_bytes", message, "Largest gRPC message.", 1024, INT32_MAX},
      {prefix + "max_items", items, "Most items in one Embed call.", 1, 65536},
      {prefix + "max_candidates", candidates, "Most candidates in one Score call.", 1, 65536},
      {prefix + "max_stream_in_flight", stream,
       "Items of one EmbedStream taken in ahead of their answers.", 1, 65536},
      {prefix + "max_text_bytes", text, "Longest text.", 1},
      {prefix + "max_image_bytes", image, "Largest encoded image.", 1},
      {prefix + "max_image_pixels", pixels,
       "Most pixels of an image by its header; checked before anything is allocated.", 1},
      {prefix + "max_video_bytes", video, "Largest encoded video.", 1},
      {prefix + "max_video_pixels", frame_pixels,
       "Most pixels of a video's frame; checked before any is allocated. A decoder holds up to 17 "
       "frames, and one more a thread.",
       1},
      {prefix + "max_video_duration_ms", duration,
       "Longest video, by its header and by its packets.", 1, 24 * kHourMs},
      {prefix + "max_video_frames", frames, "Most frames to be sampled from one video.", 1, 4096},
  };
}

#define TERMINUS_LIMIT_MEMBERS(of)                                                                \
  TERMINUS_MEMBER(of.limits.max_message_bytes), TERMINUS_MEMBER(of.limits.max_items),             \
      TERMINUS_MEMBER(of.limits.max_candidates), TERMINUS_MEMBER(of.limits.max_stream_in_flight), \
      TERMINUS_MEMBER(of.limits.max_text_bytes), TERMINUS_MEMBER(of.limits.max_image_bytes),      \
      TERMINUS_MEMBER(of.limits.max_image_pixels), TERMINUS_MEMBER(of.limits.max_video_bytes),    \
      TERMINUS_MEMBER(of.limits.max_video_pixels), TERMINUS_MEMBER(of.limits.max_video_duration), \
      TERMINUS_MEMBER(of.limits.max_video_frames)

#define TERMINUS_BATCHING_MEMBERS(of)                                      \
  TERMINUS_MEMBER(of.max_batch_items), TERMINUS_MEMBER(of.max_batch_cost), \
      TERMINUS_MEMBER(of.max_in_flight), TERMINUS_MEMBER(of.min_time_left)

std::vector<Key> EncoderKeys(const std::string& service, Member listen, Member metrics,
                             Member device, Member precision, Member threads, Member preprocess,
                             Member in_flight, Member model_loading, Member drain) {
  return {
      {.path = service + ".listen",
       .member = listen,
       .help = "Addresses, each unix:/path or host:port.",
       .form = Key::Form::kAddress},
      {.path = service + ".metrics",
       .member = metrics,
       .help = "host:port of the Prometheus endpoint; port 0: a free one.",
       .form = Key::Form::kHostPort},
      {.path = service + ".device",
       .member = device,
       .help = "cpu, cuda:N, or auto: the first GPU, or the CPU where there is none.",
       .form = Key::Form::kDevice},
      {.path = service + ".precision",
       .member = precision,
       .help =
           "float32; on a GPU also bfloat16 and, for image models that are transformers, fp8; or "
           "auto: bfloat16 on a GPU, float32 on the CPU.",
       .choices = {"auto", "float32", "bfloat16", "fp8"}},
      {service + ".threads", threads, "Compute threads. 0: all cores.", 0, 1024},
      {service + ".preprocess_threads", preprocess,
       "Threads that tokenise, or decode and resize. 0: as many as the compute threads.", 0, 1024},
      {service + ".max_in_flight", in_flight,
       "Batches taken in at once. 0: 2 on a GPU, 1 on a CPU. One more is refused.", 0, 16},
      ModelLoadingKey(service, model_loading, kHostLoading),
      {service + ".drain_timeout_ms", drain, "How long batches may go on after SIGTERM.", 0,
       kHourMs},
  };
}

#define TERMINUS_ENCODER_MEMBERS(of)                                                   \
  TERMINUS_MEMBER(of.listen), TERMINUS_MEMBER(of.metrics), TERMINUS_MEMBER(of.device), \
      TERMINUS_MEMBER(of.precision), TERMINUS_MEMBER(of.threads),                      \
      TERMINUS_MEMBER(of.preprocess_threads), TERMINUS_MEMBER(of.max_in_flight),       \
      TERMINUS_MEMBER(of.model_loading), TERMINUS_MEMBER(of.drain_timeout)

void Append(std::vector<Key>& keys, std::vector<Key> more) {
  std::move(more.begin(), more.end(), std::back_inserter(keys));
}

std::vector<Key> MakeKeys() {
  std::vector<Key> keys = {
      {"bundle", TERMINUS_MEMBER(bundle),
       "Folder of the bundle (bundle.yaml), or of one Hugging Face style model."},
      {.path = "log_level",
       .member = TERMINUS_MEMBER(log_level),
       .help = "trace, debug, info, warn or error.",
       .choices = {"trace", "debug", "info", "warn", "error"}},
      {.path = "router.listen",
       .member = TERMINUS_MEMBER(router.listen),
       .help = "Addresses, each unix:/path or host:port.",
       .form = Key::Form::kAddress},
      {.path = "router.metrics",
       .member = TERMINUS_MEMBER(router.metrics),
       .help = "host:port of the Prometheus endpoint; port 0: a free one.",
       .form = Key::Form::kHostPort},
      {.path = "router.replicas.text",
       .member = TERMINUS_MEMBER(router.text_replicas),
       .help =
           "Addresses of the text replicas: unix:/path, host:port, or dns:///name:port for every "
           "address that the name has.",
       .form = Key::Form::kAddress},
      {.path = "router.replicas.vision",
       .member = TERMINUS_MEMBER(router.vision_replicas),
       .help = "Addresses of the vision replicas.",
       .form = Key::Form::kAddress},
      {.path = "router.replicas.video",
       .member = TERMINUS_MEMBER(router.video_replicas),
       .help = "Addresses of the video replicas.",
       .form = Key::Form::kAddress},
      {.path = "router.replicas.decoder",
       .member = TERMINUS_MEMBER(router.decoder_replicas),
       .help = "Addresses of the decoder replicas.",
       .form = Key::Form::kAddress},
  };
  Append(keys, BatchingKeys("router.batching.text.", "tokens",
                            TERMINUS_BATCHING_MEMBERS(router.text_batching)));
  Append(keys, BatchingKeys("router.batching.vision.", "patches",
                            TERMINUS_BATCHING_MEMBERS(router.vision_batching)));
  Append(keys, BatchingKeys("router.batching.video.", "frames",
                            TERMINUS_BATCHING_MEMBERS(router.video_batching)));
  keys.push_back({"router.cache.max_bytes", TERMINUS_MEMBER(router.cache_max_bytes),
                  "Encoded contents kept by their hash, for Score and Recognize. 0: none.", 0});
  keys.push_back(ModelLoadingKey("router", TERMINUS_MEMBER(router.model_loading),
                                 "Whether Cluster.LoadModel and UnloadModel are answered"));
  keys.push_back({"router.load_timeout_ms", TERMINUS_MEMBER(router.load_timeout),
                  "Most time for such a call to load a model in every service, if its own deadline "
                  "is not earlier.",
                  1, 24 * kHourMs});
  Append(keys, {{"router.admission.max_items", TERMINUS_MEMBER(router.admission.max_items),
                 "Items admitted and not answered yet; past it calls get RESOURCE_EXHAUSTED.", 1},
                {"router.admission.max_bytes", TERMINUS_MEMBER(router.admission.max_bytes),
                 "Their bytes, likewise.", 1},
                {"router.admission.retry_delay_ms", TERMINUS_MEMBER(router.admission.retry_delay),
                 "What such a call is told to wait before it tries again.", 1, kHourMs},
                {"router.health.interval_ms", TERMINUS_MEMBER(router.health.interval),
                 "Between two looks at a replica that is not ready.", 10, kHourMs},
                {"router.health.timeout_ms", TERMINUS_MEMBER(router.health.timeout),
                 "Patience with one look.", 10, kHourMs},
                {"router.default_deadline_ms", TERMINUS_MEMBER(router.default_deadline),
                 "Deadline of calls that bring none.", 1, 24 * kHourMs},
                {"router.drain_timeout_ms", TERMINUS_MEMBER(router.drain_timeout),
                 "How long calls in flight may go on after SIGTERM.", 0, kHourMs}});
  Append(keys, LimitKeys("router.limits.", TERMINUS_LIMIT_MEMBERS(router)));
  Append(keys, EncoderKeys("text", TERMINUS_ENCODER_MEMBERS(text)));
  Append(keys, LimitKeys("text.limits.", TERMINUS_LIMIT_MEMBERS(text)));
  Append(keys, EncoderKeys("vision", TERMINUS_ENCODER_MEMBERS(vision)));
  Append(keys, LimitKeys("vision.limits.", TERMINUS_LIMIT_MEMBERS(vision)));
  Append(keys, EncoderKeys("video", TERMINUS_ENCODER_MEMBERS(video)));
  Append(keys, LimitKeys("video.limits.", TERMINUS_LIMIT_MEMBERS(video)));
  Append(keys, DecoderKeys());
  return keys;
}

bool IsHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = -1;
  return colon != std::string::npos && colon > 0 &&
         absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= 0 && port <= 65535;
}

bool IsDevice(const std::string& text) {
  int index = -1;
  return text == "cpu" || text == "auto" ||
         (absl::StartsWith(text, "cuda:") && absl::SimpleAtoi(text.substr(5), &index) &&
          index >= 0);
}

// Empty when the text has the form, else what was expected.
std::string ExpectedForm(Key::Form form, const std::string& text) {
  switch (form) {
    case Key::Form::kAny:
      return "";
    case Key::Form::kAddress: {
      const bool is_path = absl::StartsWith(text, "unix:") && text.size() > 5;
      const bool is_name = absl::StartsWith(text, "dns:///") && IsHostPort(text.substr(7));
      return is_path || is_name || IsHostPort(text) ? "" : "unix:/path or host:port";
    }
    case Key::Form::kHostPort:
      return IsHostPort(text) ? "" : "host:port";
    case Key::Form::kDevice:
      return IsDevice(text) ? "" : "cpu, cuda:N or auto";
  }
  return "";
}

absl::Status Wrong(const Key& key, const std::string& value, const std::string& expected) {
  return absl::InvalidArgumentError(
      absl::StrCat(key.path, ": ", value.empty() ? "''" : value, ", expected ", expected));
}

absl::StatusOr<int64_t> ParseNumber(const Key& key, const std::string& text) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    return Wrong(key, text, "a whole number");
  }
  if (value < key.at_least) {
    return Wrong(key, text, absl::StrCat("at least ", key.at_least));
  }
  if (value > key.at_most) {
    return Wrong(key, text, absl::StrCat("at most ", key.at_most));
  }
  return value;
}

}  // namespace

const std::vector<Key>& Keys() {
  static const std::vector<Key>& keys = *new std::vector<Key>(MakeKeys());
  return keys;
}

std::string Quote(const std::string& value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string Format(const Key& key, const ClusterConfig& config) {
  auto& mutable_config = const_cast<ClusterConfig&>(config);
  return std::visit(
      [&](auto member) -> std::string {
        const auto& value = *member(mutable_config);
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, bool>) {
          return value ? "true" : "false";
        } else if constexpr (std::is_same_v<T, absl::Duration>) {
          return absl::StrCat(absl::ToInt64Milliseconds(value));
        } else if constexpr (std::is_same_v<T, std::string>) {
          return Quote(value);
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          std::vector<std::string> quoted;
          for (const std::string& element : value) {
            quoted.push_back(Quote(element));
          }
          return absl::StrCat("[", absl::StrJoin(quoted, ", "), "]");
        } else {
          return absl::StrCat(value);
        }
      },
      key.member);
}

absl::Status Assign(const Key& key, const std::vector<std::string>& scalars,
                    ClusterConfig& config) {
  return std::visit(
      [&](auto member) -> absl::Status {
        auto& value = *member(config);
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          for (const std::string& element : scalars) {
            if (std::string expected = ExpectedForm(key.form, element); !expected.empty()) {
              return Wrong(key, element, expected);
            }
          }
          value = scalars;
          return absl::OkStatus();
        } else {
          if (scalars.size() != 1) {
            return Wrong(key, absl::StrCat("a list of ", scalars.size()), "one value");
          }
          const std::string& text = scalars[0];
          if constexpr (std::is_same_v<T, bool>) {
            if (text != "true" && text != "false") {
              return Wrong(key, text, "true or false");
            }
            value = text == "true";
          } else if constexpr (std::is_same_v<T, std::string>) {
            if (!key.choices.empty() &&
                std::find(key.choices.begin(), key.choices.end(), text) == key.choices.end()) {
              return Wrong(key, text, absl::StrJoin(key.choices, ", "));
            }
            if (std::string expected = ExpectedForm(key.form, text); !expected.empty()) {
              return Wrong(key, text, expected);
            }
            value = text;
          } else {
            auto number = ParseNumber(key, text);
            if (!number.ok()) {
              return number.status();
            }
            if constexpr (std::is_same_v<T, absl::Duration>) {
              value = absl::Milliseconds(*number);
            } else {
              if (*number > std::numeric_limits<T>::max()) {
                return Wrong(key, text, absl::StrCat("at most ", std::numeric_limits<T>::max()));
              }
              value = static_cast<T>(*number);
            }
          }
          return absl::OkStatus();
        }
      },
      key.member);
}

std::string DocumentKeys() {
  const ClusterConfig defaults;
  std::string table = "| key | default | meaning |\n|---|---|---|\n";
  for (const Key& key : Keys()) {
    absl::StrAppend(&table, "| `", key.path, "` | `", Format(key, defaults), "` | ", key.help,
                    " |\n");
  }
  return table;
}

}  // namespace terminus::config
