#include "common/weights/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace terminus::weights {
namespace {

// The kernel is asked to read so much at once.
constexpr uint64_t kPiece = uint64_t{4} << 20;

// The kernel maps as much around a page that is touched, at addresses that are multiples of it:
// fault_around_bytes, as every distribution leaves it.
constexpr uintptr_t kFaultAround = uintptr_t{64} << 10;

}  // namespace

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, path);
  struct stat info {};
  if (fstat(fd, &info) != 0) {
    const int error = errno;
    close(fd);
    return absl::ErrnoToStatus(error, path);
  }
  if (!S_ISREG(info.st_mode)) {
    close(fd);
    return absl::InvalidArgumentError(path + ": not a regular file");
  }
  const size_t size = static_cast<size_t>(info.st_size);
  void* address = nullptr;
  if (size != 0) {  // mmap refuses a length of 0
    address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) {
      const int error = errno;
      close(fd);
      return absl::ErrnoToStatus(error, path);
    }
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, fd, {static_cast<const std::byte*>(address), size}));
}

MappedFile::MappedFile(std::string path, int fd, absl::Span<const std::byte> bytes)
    : path_(std::move(path)),
      fd_(fd),
      bytes_(bytes),
      asked_((bytes.size() + kPiece - 1) / kPiece) {}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  close(fd_);
}

void MappedFile::Release(absl::Span<const std::byte> part) const {
  if (part.empty()) return;
  const auto past_multiple = [](const std::byte* at) {
    return reinterpret_cast<uintptr_t>(at) % kFaultAround;
  };
  const size_t offset = part.data() - bytes_.data();
  const size_t begin = offset - std::min<size_t>(offset, past_multiple(part.data()));
  const size_t above = (kFaultAround - past_multiple(part.end())) % kFaultAround;
  const size_t end = std::min(offset + part.size() + above, bytes_.size());
  // The mapping is private and never written to, so nothing is lost. If the kernel refuses, the
  // pages only stay.
  static_cast<void>(
      madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED));
}

void MappedFile::ReadAhead(absl::Span<const std::byte> part, uint64_t beyond) const {
  const uint64_t offset = part.data() - bytes_.data();
  const uint64_t end = std::min<uint64_t>(offset + part.size() + beyond, bytes_.size());
  for (uint64_t piece = offset / kPiece; piece * kPiece < end; ++piece) {
    if (!asked_[piece].exchange(true, std::memory_order_relaxed)) {
      // An advice: without it the bytes come when they are touched.
      static_cast<void>(posix_fadvise(fd_, static_cast<off_t>(piece * kPiece),
                                      static_cast<off_t>(kPiece), POSIX_FADV_WILLNEED));
    }
  }
}

absl::Status MappedFile::Read(uint64_t offset, absl::Span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat(path_, ": reading at byte ", offset));
    }
    if (count == 0) {
      return absl::DataLossError(absl::StrCat(path_, ": ends at byte ", offset, ", ", out.size(),
                                              " before the end of a tensor: it was shortened"));
    }
    offset += static_cast<uint64_t>(count);
    out.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

}  // namespace terminus::weights
