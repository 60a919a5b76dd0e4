#include "models/vision/backbone.h"

namespace terminus::models::vision {

kernels::Geometry GeometryFor(const nn::Convolution::Options& options, int64_t height,
                              int64_t width) {
  const nn::Pads rows = nn::Convolution::PadsFor(options, height);
  const nn::Pads columns = nn::Convolution::PadsFor(options, width);
  return {.in_height = height,
          .in_width = width,
          .out_height = rows.out,
          .out_width = columns.out,
          .pad_top = rows.before,
          .pad_left = columns.before};
}

Layer LoadLayer(const std::string& convolution, const std::string& norm, int in, int out,
                const nn::Convolution::Options& options, double batch_norm_eps,
                const nn::Loader& loader) {
  const at::Tensor weight = loader.GetFloat(
      convolution + ".weight", {out, options.depthwise ? 1 : in, options.kernel, options.kernel});
  const nn::Folded folded = nn::FoldBatchNorm(
      weight, loader.GetFloat(norm + ".weight", {out}), loader.GetFloat(norm + ".bias", {out}),
      loader.GetFloat(norm + ".running_mean", {out}), loader.GetFloat(norm + ".running_var", {out}),
      batch_norm_eps);
  return {.options = options,
          .weight = folded.weight.to(loader.dtype()),
          .bias = folded.bias.to(loader.dtype())};
}

ImageShares ShareImages(int images, int workers) {
  const int left = images % workers;
  const int shared = 2 * left > workers ? 0 : left;
  return {.whole = images - shared, .shared = shared};
}

}  // namespace terminus::models::vision
