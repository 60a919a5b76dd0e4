#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace terminus::weights {

// A file mapped read-only for as long as the object lives. Pages come from the page cache, so
// several processes with the same weights share them. Whoever shortens the file while it is mapped
// ends this process by SIGBUS: replace weight files, never rewrite them in place. Any thread may
// call any of it.
class MappedFile {
 public:
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  absl::Span<const std::byte> bytes() const { return bytes_; }

  // Gives back the memory that this process has of `part`, which lies in bytes(), and of what the
  // kernel mapped around it. The bytes stay readable: the next touch maps them again, from the page
  // cache as a rule. For what was read once and is kept in another form.
  void Release(absl::Span<const std::byte> part) const;

  // Enough to keep a disk busy while a matrix is repacked, little beside what a machine has that
  // holds a model of that size.
  static constexpr uint64_t kReadAhead = uint64_t{64} << 20;

  // Asks the kernel to bring `part`, which lies in bytes(), and `beyond` bytes behind it into the
  // page cache, so that a disk reads several places at a time while the caller works on what is
  // there. Asks once for each place.
  void ReadAhead(absl::Span<const std::byte> part, uint64_t beyond = kReadAhead) const;

  // Fills `out` from `offset` on by system calls instead of page faults, so that nothing of the
  // file becomes this process's memory. Errors name the file.
  absl::Status Read(uint64_t offset, absl::Span<std::byte> out) const;

 private:
  MappedFile(std::string path, int fd, absl::Span<const std::byte> bytes);

  const std::string path_;
  const int fd_;
  const absl::Span<const std::byte> bytes_;
  // Of each piece of the file, whether the kernel was asked to read it ahead.
  mutable std::vector<std::atomic<bool>> asked_;
};

}  // namespace terminus::weights
