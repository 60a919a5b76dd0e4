#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"

// What an error carries beside its code and message. It travels inside absl::Status as payloads
// and becomes google.rpc details where common/rpc writes it to the wire.
namespace terminus::base {

// Stable, machine-readable reasons. Clients switch on them: never rename one.
inline constexpr char kReasonEmptyItem[] = "EMPTY_ITEM";
inline constexpr char kReasonInvalidUtf8[] = "INVALID_UTF8";
inline constexpr char kReasonTextTooLong[] = "TEXT_TOO_LONG";
inline constexpr char kReasonImageUndecodable[] = "IMAGE_UNDECODABLE";
inline constexpr char kReasonImageTooLarge[] = "IMAGE_TOO_LARGE";
inline constexpr char kReasonVideoUndecodable[] = "VIDEO_UNDECODABLE";
// Its bytes, or the pixels of a frame.
inline constexpr char kReasonVideoTooLarge[] = "VIDEO_TOO_LARGE";
inline constexpr char kReasonVideoTooLong[] = "VIDEO_TOO_LONG";
inline constexpr char kReasonVideoTooManyFrames[] = "VIDEO_TOO_MANY_FRAMES";
inline constexpr char kReasonVideoNoStream[] = "VIDEO_NO_STREAM";
inline constexpr char kReasonVideoTruncated[] = "VIDEO_TRUNCATED";
inline constexpr char kReasonVideoRange[] = "VIDEO_RANGE_INVALID";
inline constexpr char kReasonUnsupportedFormat[] = "UNSUPPORTED_FORMAT";
inline constexpr char kReasonUnknownModel[] = "UNKNOWN_MODEL";
inline constexpr char kReasonUnknownMethod[] = "UNKNOWN_METHOD";
inline constexpr char kReasonUnknownPrompt[] = "UNKNOWN_PROMPT";
inline constexpr char kReasonUnsupportedModality[] = "UNSUPPORTED_MODALITY";
inline constexpr char kReasonNoLanguageModel[] = "NO_LANGUAGE_MODEL";
// The served model makes no vectors: it has no encoder.
inline constexpr char kReasonNoEncoder[] = "NO_ENCODER";
inline constexpr char kReasonNoActionHead[] = "NO_ACTION_HEAD";
// The served model's answers cannot be kept to an output format.
inline constexpr char kReasonNoOutputFormat[] = "NO_OUTPUT_FORMAT";
// An output format, or an answer that is kept to it, takes more time or memory than one may.
inline constexpr char kReasonFormatTooSlow[] = "FORMAT_TOO_SLOW";
inline constexpr char kReasonFormatTooLarge[] = "FORMAT_TOO_LARGE";
// No token may come next: the settings and the output format of a generation forbid all of them.
inline constexpr char kReasonNoTokenLeft[] = "NO_TOKEN_LEFT";
inline constexpr char kReasonInvalidRequest[] = "INVALID_REQUEST";
inline constexpr char kReasonOverloaded[] = "OVERLOADED";
inline constexpr char kReasonNoReplica[] = "NO_READY_REPLICA";
inline constexpr char kReasonReplicaLost[] = "REPLICA_LOST";
// A model that was there is not any more, or another one has taken its place.
inline constexpr char kReasonModelNotLoaded[] = "MODEL_NOT_LOADED";
// The device has no room for the model beside what it holds.
inline constexpr char kReasonModelTooLarge[] = "MODEL_TOO_LARGE";
inline constexpr char kReasonNotInBundle[] = "NOT_IN_BUNDLE";
inline constexpr char kReasonLoadUnderWay[] = "LOAD_UNDER_WAY";
inline constexpr char kReasonLoadingIsOff[] = "MODEL_LOADING_OFF";
inline constexpr char kReasonDeadline[] = "DEADLINE_EXCEEDED";
inline constexpr char kReasonCancelled[] = "CANCELLED";
inline constexpr char kReasonInternal[] = "INTERNAL";

// A status with a stable reason, such as kReasonTextTooLong.
absl::Status MakeError(absl::StatusCode code, absl::string_view reason, absl::string_view message);

// As above, and names the request field at fault, such as "items[3].text". INVALID_ARGUMENT.
absl::Status FieldError(absl::string_view reason, absl::string_view field,
                        absl::string_view message);

// Attaches a reason and a field to a status made elsewhere; empty ones are left out.
void Attach(absl::Status& status, absl::string_view reason, absl::string_view field);

// Attaches how long the caller should wait before it tries again.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

// What the helpers above attached; empty when there is none.
std::string Reason(const absl::Status& status);
std::string Field(const absl::Status& status);
absl::optional<absl::Duration> RetryDelay(const absl::Status& status);

// Returns `status` with "context: " before its message; payloads are kept. OK stays OK.
absl::Status Annotate(const absl::Status& status, absl::string_view context);

}  // namespace terminus::base
