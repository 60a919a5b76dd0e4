#include "common/base/temp_folder.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "common/base/check.h"

namespace terminus::base {

TempFolder::TempFolder() {
  const char* root = std::getenv("TMPDIR");
  // Short, for a Unix socket in it: its path has room for 107 bytes.
  path_ = std::string(root == nullptr || *root == '\0' ? "/tmp" : root) + "/terminus-XXXXXX";
  TERMINUS_CHECK(mkdtemp(path_.data()) != nullptr);
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace terminus::base
