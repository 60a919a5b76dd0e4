#pragma once

#include "common/media/image.h"

namespace terminus::media {

enum class Filter { kNearest, kBox, kBilinear, kHamming, kBicubic, kLanczos };

// A rectangle of pixels.
struct Window {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

// The part `window` of `image` scaled to `width` x `height`; only that part is computed. Bit for
// bit what resize() and then crop() of Pillow 13 give (its Resample.c): the filter is widened when
// it shrinks, and each of two passes rounds to 8 bits. The rows are filtered first, unless the
// height shrinks by more than twice what the width does. kNearest takes the pixel below the middle
// of each. The image has pixels, the sizes are positive, and the window lies inside them.
Image Resize(const Image& image, int width, int height, Filter filter, const Window& window);

// The whole of it.
Image Resize(const Image& image, int width, int height, Filter filter);

// The middle of a picture that is at least as large. Where the margin is odd, the smaller half is
// to the left and above, or, with `round`, the even one of the two.
Window CenterWindow(int image_width, int image_height, int width, int height, bool round = false);

}  // namespace terminus::media
