#pragma once

#include <string>

namespace terminus::base {

// A new, empty folder below TMPDIR (/tmp without it), for its owner alone, that is removed with
// all it holds when the object goes. ctest runs the tests of one program as processes side by
// side, so a test keeps its files in one of these, never at a fixed path.
class TempFolder {
 public:
  // Aborts when the folder cannot be made.
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  // The path of `name` in the folder.
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace terminus::base
