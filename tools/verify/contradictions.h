#pragma once

#include <string>
#include <vector>

namespace terminus::tools::verify {

// What the files of a model's folder say against each other, each with the file at fault, the other
// file and both values: special tokens and their ids, numbers of tokens, lengths of texts, sizes of
// images, dtypes, tied tables, shards and their index. None of them keeps the folder from being
// served; where one changes a result, the text says which file counts. Files that cannot be read
// are passed over.
std::vector<std::string> FindContradictions(const std::string& folder);

}  // namespace terminus::tools::verify
