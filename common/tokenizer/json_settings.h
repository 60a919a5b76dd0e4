#pragma once

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/settings/table.h"

// Declarations of the keys of tokenizer.json, a table for each type of section.
namespace terminus::tokenizer {

// The table of a part of tokenizer.json, such as "normalizer.Strip" or "added_tokens". Null for
// one that is not there.
const settings::Table* SectionTable(absl::string_view kind);

absl::Span<const settings::Table* const> SectionTables();

}  // namespace terminus::tokenizer
