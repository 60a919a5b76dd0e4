#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/recycled_bytes.h"

// The narrow waist between services and models: plain structs in, plain floats out. No torch here.
namespace terminus::executor {

// Texts of different lengths, as token ids with the special tokens included. None is empty.
struct TextBatch {
  std::vector<std::vector<int32_t>> token_ids;
};

// Images of one size, already resized and cropped: [count, height, width, 3], RGB.
struct ImageBatch {
  int count = 0;
  int height = 0;
  int width = 0;
  base::RecycledBytes pixels;
};

// Clips, each some frames of one size, in the order in which they are shown. Clip i has the frames
// [offsets[i], offsets[i + 1]); none is without frames.
struct VideoBatch {
  ImageBatch frames;
  // One more than there are clips, from 0 to frames.count.
  std::vector<int> offsets;
  // Whether the frames' own vectors are wanted too.
  bool per_frame = false;
};

// One row for each item of the batch, in its order: [count, dimension], row-major, in the shared
// space. As long as the model made them: whoever compares them normalises.
struct Embeddings {
  int count = 0;
  int dimension = 0;
  std::vector<float> values;
  // Of a VideoBatch that wants them, each frame's own: [frames, dimension]. Else empty.
  std::vector<float> frame_values;
};

// A model on a device. Used by one thread at a time.
template <class Batch>
class Encoder {
 public:
  virtual ~Encoder() = default;

  // INVALID_ARGUMENT when the batch is not what the model takes (a length, an id, a size). May
  // throw what LibTorch throws; Executor turns that into a status.
  virtual absl::StatusOr<Embeddings> Encode(const Batch& batch) = 0;

  virtual int dimension() const = 0;
};

}  // namespace terminus::executor
