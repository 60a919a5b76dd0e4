#pragma once

#include <xgrammar/compiler.h>
#include <xgrammar/tokenizer_info.h>

#include <string>
#include <vector>

#include "common/grammar/grammar.h"
#include "common/grammar/vocabulary.h"

// The types of the grammar library behind our own. For the sources of common/grammar alone.
namespace terminus::grammar {

struct Vocabulary::Library {
  xgrammar::TokenizerInfo tokenizer;
};

struct Grammar::Library {
  xgrammar::CompiledGrammar compiled;
};

// Keeps what the library warns of on this thread while it lives; without one, warnings are dropped.
// Does not nest.
class LibraryWarnings {
 public:
  LibraryWarnings();
  ~LibraryWarnings();
  LibraryWarnings(const LibraryWarnings&) = delete;
  LibraryWarnings& operator=(const LibraryWarnings&) = delete;

  const std::vector<std::string>& all() const { return all_; }
  void Add(const std::string& message);

 private:
  std::vector<std::string> all_;
};

}  // namespace terminus::grammar
