#include "common/chat/filters.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/chat/filter_functions.h"

namespace terminus::chat {
namespace {

const FilterTable& AllFilters() {
  static const auto& all = *[] {
    auto* const table = new FilterTable;
    for (const FilterTable* const part :
         {&TextFilters(), &HtmlFilters(), &NumberFilters(), &SequenceFilters(), &SelectionFilters(),
          &OrderFilters()}) {
      table->insert(part->begin(), part->end());
    }
    return table;
  }();
  return all;
}

}  // namespace

bool IsFilter(absl::string_view name) { return AllFilters().count(name) > 0; }

bool IsJinjaFilter(absl::string_view name) {
  return IsFilter(name) || name == "pprint" || name == "random" || name == "urlize" ||
         name == "wordwrap";
}

absl::StatusOr<Value> ApplyFilter(Context& context, absl::string_view name, const Value& value,
                                  const Arguments& arguments) {
  const auto found = AllFilters().find(name);
  if (found == AllFilters().end()) {
    return absl::InvalidArgumentError(absl::StrCat("the filter '", name, "' is not supported"));
  }
  // Filters that go through the elements pay as they go.
  TERMINUS_RETURN_IF_ERROR(context.Step());
  return found->second(context, value, arguments);
}

}  // namespace terminus::chat
