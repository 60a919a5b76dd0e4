#include "services/router/edge/validate.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/base/errors.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/media/probe.h"
#include "common/media/video_format.h"
#include "common/tensor/tensor.h"

namespace terminus::services::router::edge {
namespace {

absl::StatusOr<int64_t> CheckText(const std::string& text, const std::string& field,
                                  const config::Limits& limits, int max_tokens,
                                  const batching::TextCost& cost) {
  // An empty text may have tokens all the same, by the model's template: the text service knows.
  if (static_cast<int64_t>(text.size()) > limits.max_text_bytes) {
    return base::FieldError(base::kReasonTextTooLong, field,
                            absl::StrCat("the text has ", text.size(), " bytes, at most ",
                                         limits.max_text_bytes, " are taken"));
  }
  if (!base::IsValidUtf8(text)) {
    return base::FieldError(base::kReasonInvalidUtf8, field, "the text is not valid UTF-8");
  }
  return cost.Estimate(static_cast<int64_t>(text.size()), max_tokens);
}

absl::StatusOr<int64_t> CheckImage(const std::string& image, const std::string& field,
                                   const config::Limits& limits) {
  if (image.empty()) {
    return base::FieldError(base::kReasonEmptyItem, field, "the image has no bytes");
  }
  if (static_cast<int64_t>(image.size()) > limits.max_image_bytes) {
    return base::FieldError(base::kReasonImageTooLarge, field,
                            absl::StrCat("the image has ", image.size(), " bytes, at most ",
                                         limits.max_image_bytes, " are taken"));
  }
  const absl::StatusOr<media::ImageInfo> info = media::ProbeImage(image);
  if (!info.ok()) {
    return base::FieldError(base::Reason(info.status()), field, info.status().message());
  }
  // Sides are at most 2^32, so a product fits into 64 bits only as unsigned: divide instead.
  if (info->width > limits.max_image_pixels / std::max<int64_t>(1, info->height)) {
    return base::FieldError(
        base::kReasonImageTooLarge, field,
        absl::StrCat("the image's header claims ", info->width, "x", info->height,
                     " pixels, at most ", limits.max_image_pixels, " are taken"));
  }
  return batching::ImageCost(info->width, info->height);
}

absl::Status BadRange(absl::string_view field, absl::string_view message) {
  return base::FieldError(base::kReasonVideoRange, field, message);
}

// What can be told without decoding; the video service looks at the rest.
absl::StatusOr<int64_t> CheckVideo(const v1::Video& video, const std::string& field,
                                   const config::Limits& limits, int default_frames) {
  const std::string& data = video.data();
  if (data.empty()) {
    return base::FieldError(base::kReasonEmptyItem, field, "the video has no bytes");
  }
  if (static_cast<int64_t>(data.size()) > limits.max_video_bytes) {
    return base::FieldError(base::kReasonVideoTooLarge, field,
                            absl::StrCat("the video has ", data.size(), " bytes, at most ",
                                         limits.max_video_bytes, " are taken"));
  }
  if (!media::SniffVideo(data)) {
    return base::FieldError(base::kReasonUnsupportedFormat, field,
                            "not a video of a supported format: MP4, WebM and GIF are");
  }
  if (video.frames() < 0 || video.frames() > limits.max_video_frames) {
    return base::FieldError(
        base::kReasonVideoTooManyFrames, absl::StrCat(field, ".frames"),
        absl::StrCat(video.frames(), " frames, expected 0 to ", limits.max_video_frames));
  }
  if (video.start_us() < 0) {
    return BadRange(absl::StrCat(field, ".start_us"),
                    absl::StrCat(video.start_us(), " is before the video"));
  }
  if (video.has_end_us() && video.end_us() <= video.start_us()) {
    return BadRange(
        absl::StrCat(field, ".end_us"),
        absl::StrCat(video.end_us(), " is not after the range's start, ", video.start_us()));
  }
  return std::max(1, video.frames() > 0 ? video.frames() : default_frames);
}

}  // namespace

absl::Status CheckModelName(const std::string& model, const dispatch::ServedModel& served) {
  if (!model.empty() && model != served.name) {
    return base::MakeError(
        absl::StatusCode::kNotFound, base::kReasonUnknownModel,
        absl::StrCat("no model named '", model, "' is served; there is '", served.name, "'"));
  }
  return absl::OkStatus();
}

absl::Status CheckMakesVectors(const dispatch::ServedModel& served) {
  if (served.dimension > 0) {
    return absl::OkStatus();
  }
  return base::MakeError(absl::StatusCode::kFailedPrecondition, base::kReasonNoEncoder,
                         absl::StrCat("the served model '", served.name,
                                      "' makes no vectors: it is a language model, for Generate, "
                                      "Tokenize and Detokenize"));
}

absl::Status CheckOptions(const v1::EmbedOptions& options, const dispatch::ServedModel& served) {
  if (options.dimension() > static_cast<uint32_t>(served.dimension)) {
    return base::FieldError(
        base::kReasonInvalidRequest, "options.dimension",
        absl::StrCat("dimension ", options.dimension(), ", the model has ", served.dimension));
  }
  if (!v1::Truncate_IsValid(options.truncate())) {
    return base::FieldError(base::kReasonInvalidRequest, "options.truncate",
                            absl::StrCat("unknown value ", options.truncate()));
  }
  if (const absl::Status dtype = tensor::Quantize({1.0f}, options.dtype()).status(); !dtype.ok()) {
    return base::FieldError(base::kReasonInvalidRequest, "options.dtype", dtype.message());
  }
  const std::string& prompt = options.prompt_name();
  if (!prompt.empty() &&
      std::find(served.prompts.begin(), served.prompts.end(), prompt) == served.prompts.end()) {
    return base::FieldError(base::kReasonUnknownPrompt, "options.prompt_name",
                            absl::StrCat("the model has no prompt of that name; it has [",
                                         absl::StrJoin(served.prompts, ", "), "]"));
  }
  return absl::OkStatus();
}

absl::Status CheckItemCount(int items, const config::Limits& limits) {
  if (items == 0) {
    return base::FieldError(base::kReasonInvalidRequest, "items", "the request has no items");
  }
  if (items > limits.max_items) {
    return base::FieldError(
        base::kReasonInvalidRequest, "items",
        absl::StrCat(items, " items, at most ", limits.max_items, " are taken in one call"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> CheckContent(const v1::Content& content, absl::string_view field,
                                     const config::Limits& limits,
                                     const dispatch::ServedModel& served,
                                     const batching::TextCost& text_cost) {
  switch (content.kind_case()) {
    case v1::Content::kText:
      return CheckText(content.text(), absl::StrCat(field, ".text"), limits, served.max_tokens,
                       text_cost);
    case v1::Content::kImage:
      return CheckImage(content.image(), absl::StrCat(field, ".image"), limits);
    case v1::Content::kVideo:
      return CheckVideo(content.video(), absl::StrCat(field, ".video"), limits,
                        served.default_frames);
    case v1::Content::kEmbedding: {
      const absl::Status read = tensor::ReadVector(content.embedding(), served.dimension).status();
      if (!read.ok()) {
        return base::FieldError(base::kReasonInvalidRequest, absl::StrCat(field, ".embedding"),
                                read.message());
      }
      return 0;
    }
    case v1::Content::KIND_NOT_SET:
      break;
  }
  return base::FieldError(base::kReasonEmptyItem, field,
                          "the item holds no text, image, video or embedding");
}

absl::Status InClientTerms(const absl::Status& status, absl::string_view field) {
  const std::string named = base::Field(status);
  if (named.empty() || status.code() != absl::StatusCode::kInvalidArgument) {
    return status;
  }
  // "items[5].content.text" or "text" at the encoder; what counts is the last component, or for a
  // video all from there on: "video.end_us".
  const size_t video = named.find("video");
  if (video != std::string::npos && (video == 0 || named[video - 1] == '.')) {
    return base::FieldError(base::Reason(status), absl::StrCat(field, ".", named.substr(video)),
                            absl::StripPrefix(status.message(), named + ": "));
  }
  const size_t dot = named.rfind('.');
  const std::string last = dot == std::string::npos ? named : named.substr(dot + 1);
  const bool is_kind = last == "text" || last == "image";
  return base::FieldError(base::Reason(status),
                          is_kind ? absl::StrCat(field, ".", last) : std::string(field),
                          absl::StripPrefix(status.message(), named + ": "));
}

}  // namespace terminus::services::router::edge
