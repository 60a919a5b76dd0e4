#pragma once

#include <map>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/chat/arguments.h"
#include "common/chat/context.h"
#include "common/chat/value.h"

// The filters by theme; filters.h is the way to them.
namespace terminus::chat {

using Filter = absl::StatusOr<Value> (*)(Context&, const Value&, const Arguments&);
using FilterTable = std::map<absl::string_view, Filter>;

const FilterTable& TextFilters();
const FilterTable& HtmlFilters();
const FilterTable& NumberFilters();
const FilterTable& SequenceFilters();
const FilterTable& SelectionFilters();
const FilterTable& OrderFilters();

}  // namespace terminus::chat
