#pragma once

#include <cstdint>
#include <vector>

#include "models/kernels/convolution/depthwise_project.h"
#include "models/kernels/convolution/packed_panels.h"
#include "models/kernels/convolution/row_kernels.h"
#include "models/kernels/image/normalize.h"

namespace terminus::models::kernels {

// The first convolution of an image network, 3×3 with stride 2 and ReLU6, straight from the bytes
// of three colours. It makes its rows on demand, as DepthwiseProject asks for them.
class Stem {
 public:
  static constexpr int kKernel = 3;
  static constexpr int kStride = 2;

  // weight [out, 3, 3, 3] (colour, row, column), bias [out]; copied.
  Stem(const float* weight, const float* bias, int64_t out, const PixelTransform& transform,
       const RowKernels& kernels);

  const std::vector<Panel>& panels() const { return packed_.panels(); }

  static int64_t ScratchFloats(const Geometry& geometry);

  // One image on its way through; for one thread. The stem, `pixels` and `scratch` outlive it.
  class Image {
   public:
    // pixels [in_height, in_width, 3]. Rows are asked for in rising order, for each panel.
    Image(const Stem& stem, const Geometry& geometry, const uint8_t* pixels, float* scratch);

    // Row y of a panel → row [out_width, panel.width].
    void Row(int64_t y, int64_t panel, float* row);

   private:
    void Normalize(int64_t line);

    const Stem& stem_;
    const Geometry& geometry_;
    const uint8_t* pixels_;
    // Lines of normalised colours with zeros around, made as they are needed: those of the image
    // before next_ are there, if any was asked for.
    float* lines_;
    int64_t pitch_;
    int64_t next_ = -1;
  };

 private:
  PixelTransform transform_;
  const RowKernels& kernels_;
  PackedPanels packed_;
};

}  // namespace terminus::models::kernels
