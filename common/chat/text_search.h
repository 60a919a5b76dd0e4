#pragma once

#include "absl/status/statusor.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// The methods of strings that look for something in them; text_methods.h calls them.
namespace terminus::chat {

absl::StatusOr<Value> CountMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> EndsWithMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> FindMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> IndexMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> LastFindMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> LastIndexMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> LastPartitionMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> LastSplitMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> LeftStripMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> PartitionMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> RemovePrefixMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> RemoveSuffixMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> RightStripMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> SplitLinesMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> SplitMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> StartsWithMethod(Context&, const Text& text, const Arguments& arguments);
absl::StatusOr<Value> StripMethod(Context&, const Text& text, const Arguments& arguments);

}  // namespace terminus::chat
