// The small files of an encoder's folder, as `terminus up --model` reads them before any weight:
// one input holds several, each behind a line "== NAME".
#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/string_view.h"
#include "common/base/temp_folder.h"
#include "common/media/decode.h"
#include "models/bundle/plain_folder.h"
#include "models/bundle/preprocessor_file.h"

namespace {

namespace bundle = terminus::models::bundle;
namespace media = terminus::media;

constexpr const char* kNames[] = {"config.json",
                                  "modules.json",
                                  "1_Pooling/config.json",
                                  "sentence_bert_config.json",
                                  "config_sentence_transformers.json",
                                  "tokenizer.json",
                                  "tokenizer_config.json",
                                  "preprocessor_config.json",
                                  "processor_config.json",
                                  "model.safetensors"};

// Where an input's files are written, over those of the one before.
class Folder {
 public:
  Folder() { ::mkdir(folder_.Path("1_Pooling").c_str(), 0700); }

  void Write(absl::string_view input) {
    for (const char* name : kNames) {
      std::remove(folder_.Path(name).c_str());
    }
    // What must be there, and no target looks into.
    Write("tokenizer.json", "{}");
    Write("model.safetensors", absl::string_view("\2\0\0\0\0\0\0\0{}", 10));
    while (!input.empty()) {
      const size_t end = input.find("\n== ");
      WriteSection(input.substr(0, end));
      input.remove_prefix(end == input.npos ? input.size() : end + 1);
    }
  }

  const std::string& path() const { return folder_.path(); }

 private:
  void WriteSection(absl::string_view section) {
    const size_t line = section.find('\n');
    for (const char* name : kNames) {
      if (line != section.npos && section.substr(0, line) == std::string("== ") + name) {
        Write(name, section.substr(line + 1));
      }
    }
  }

  void Write(const std::string& name, absl::string_view content) {
    std::ofstream(folder_.Path(name))
        .write(content.data(), static_cast<std::streamsize>(content.size()));
  }

  const terminus::base::TempFolder folder_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Folder folder;
  folder.Write(absl::string_view(reinterpret_cast<const char*>(data), size));
  const auto manifest = bundle::ReadPlainFolder(folder.path());
  if (manifest.ok()) {
    const bool encodes = manifest->text || manifest->vision;
    if (encodes != (manifest->space.dimension > 0) || manifest->space.id.size() != 32 ||
        encodes == manifest->decoder.has_value()) {
      __builtin_trap();
    }
  }
  const auto preprocessor =
      bundle::ReadPreprocessorFile(folder.path(), media::Conversion::kLikeTransformers);
  if (preprocessor.ok() &&
      (preprocessor->width() < 1 || preprocessor->height() < 1 ||
       std::max(preprocessor->width(), preprocessor->height()) > media::kMaxSide)) {
    __builtin_trap();
  }
  return 0;
}
