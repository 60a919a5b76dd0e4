#pragma once

#include "absl/types/span.h"
#include "common/settings/table.h"
#include "common/tokenizer/reference_class.h"

// Declarations of the keys of a folder's tokenizer files.
namespace terminus::tokenizer {

// tokenizer_config.json, as a class of transformers reads it. Names that end in "_token" are free:
// each names a special token.
const settings::Table& ConfigTable(ReferenceClass reference_class);

// special_tokens_map.json. Names that end in "_token" are free here too.
const settings::Table& SpecialTokensMapTable();

// All tables of a folder's tokenizer files, those of tokenizer.json's sections included.
absl::Span<const settings::Table* const> AllTables();

}  // namespace terminus::tokenizer
