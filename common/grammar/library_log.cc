#include <stdexcept>
#include <string>

#include "common/base/check.h"
#include "common/grammar/library_types.h"

namespace terminus::grammar {
namespace {

// More of them say nothing new.
constexpr size_t kMaxWarnings = 8;

thread_local LibraryWarnings* current = nullptr;

}  // namespace

LibraryWarnings::LibraryWarnings() {
  TERMINUS_CHECK(current == nullptr);
  current = this;
}

LibraryWarnings::~LibraryWarnings() { current = nullptr; }

void LibraryWarnings::Add(const std::string& message) {
  if (all_.size() < kMaxWarnings) {
    all_.push_back(message);
  }
}

}  // namespace terminus::grammar

// What the library, built for a log of the user's own, calls. Its levels are private to it.
namespace xgrammar {

[[noreturn]] void LogFatalImpl(const std::string& /*file*/, int /*line*/,
                               const std::string& message) {
  throw std::runtime_error(message);
}

void LogMessageImpl(const std::string& /*file*/, int /*line*/, int level,
                    const std::string& message) {
  constexpr int kWarning = 2;
  if (level == kWarning && terminus::grammar::current != nullptr) {
    terminus::grammar::current->Add(message);
  }
}

}  // namespace xgrammar
