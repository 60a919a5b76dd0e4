#include "models/kernels/convolution/dense.h"

#include <algorithm>
#include <vector>

#include "common/base/check.h"
#include "models/kernels/convolution/winograd.h"

namespace terminus::models::kernels {
namespace {

// What a strip's inputs may take of the second-level cache, beside a panel of the weight.
constexpr int64_t kStripFloats = 32 << 10;
// Pixels of a line where lines are not rows: whole tiles of any row kernel.
constexpr int64_t kLinePixels = 64;

// [out, in, row, column] → [out, row, column, in]: as the channels of neighbours lie together.
std::vector<float> ChannelsLast(const float* weight, int64_t out, int64_t in, int64_t taps) {
  std::vector<float> turned(out * taps * in);
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t t = 0; t < taps; ++t) {
        turned[(o * taps + t) * in + i] = weight[(o * in + i) * taps + t];
      }
    }
  }
  return turned;
}

// Whether Winograd's saves more multiplications than its transforms cost. Its weight is 16/9 as
// large: where that is large already, to read it would take longer.
bool TakesWinograd(const DenseConvolution::Options& options) {
  constexpr int64_t kLeastChannels = 32;
  constexpr int64_t kMostWeights = 128 << 10;
  return options.kernel == 3 && options.stride == 1 && options.in % 16 == 0 &&
         options.out % 16 == 0 && std::min(options.in, options.out) >= kLeastChannels &&
         options.in * options.out <= kMostWeights;
}

PackedPanels Pack(const DenseConvolution::Options& options, const float* weight, const float* bias,
                  const RowKernels& kernels) {
  const int64_t taps = options.kernel * options.kernel;
  if (TakesWinograd(options)) {
    return PackedPanels(winograd::TransformWeight(weight, options.out, options.in).data(), bias,
                        winograd::kPoints * options.in, options.out, kernels);
  }
  return PackedPanels(ChannelsLast(weight, options.out, options.in, taps).data(), bias,
                      taps * options.in, options.out, kernels);
}

}  // namespace

DenseConvolution::DenseConvolution(const Options& options, const float* weight, const float* bias,
                                   const RowKernels& kernels)
    : options_(options),
      winograd_(TakesWinograd(options)),
      kernels_(kernels),
      packed_(Pack(options, weight, bias, kernels)) {
  TERMINUS_CHECK(options.kernel >= 1 && options.stride >= 1);
}

DenseConvolution::Plan DenseConvolution::WinogradPlanFor(const Geometry& g) const {
  const int64_t tiles = winograd::Tiles(g);
  const int64_t tile_floats = winograd::kPoints * options_.in;
  // The more weight there is to go through for each strip, the larger it is.
  const int64_t strip = std::max(kStripFloats, tile_floats * options_.out / 4);
  const bool by_panels = options_.out > tiles;
  return {.flat = false,
          .pads = false,
          .by_panels = by_panels,
          .lines = tiles,
          .strip_lines = by_panels ? tiles : std::clamp<int64_t>(strip / tile_floats, 1, tiles),
          .row_floats = 0};
}

DenseConvolution::Plan DenseConvolution::PlanFor(const Geometry& g) const {
  if (winograd_) {
    return WinogradPlanFor(g);
  }
  const int64_t kernel = options_.kernel;
  const int64_t stride = options_.stride;
  // Rows and columns that some output looks at.
  const int64_t seen_rows = (g.out_height - 1) * stride + kernel;
  const int64_t seen_columns = (g.out_width - 1) * stride + kernel;
  Plan plan;
  plan.pads =
      g.pad_top > 0 || g.pad_left > 0 || seen_rows > g.in_height || seen_columns > g.in_width;
  plan.flat = kernel == 1 && stride == 1 && !plan.pads;
  const int64_t width = plan.pads ? std::max(g.pad_left + g.in_width, seen_columns) : g.in_width;
  plan.row_floats = width * options_.in;
  plan.by_panels = options_.out * kernel * kernel > g.in_height * g.in_width;
  const int64_t pixels = OutPixels(g);
  plan.lines = plan.flat ? (pixels + kLinePixels - 1) / kLinePixels : g.out_height;
  const int64_t line_floats =
      plan.flat ? pixels / plan.lines * options_.in : plan.row_floats * stride;
  // Of a strip of rows, the kernel reaches beyond the last.
  const int64_t beyond = plan.flat ? 0 : plan.row_floats * (kernel - stride);
  plan.strip_lines =
      plan.by_panels ? plan.lines
                     : std::clamp<int64_t>((kStripFloats - beyond) / line_floats, 1, plan.lines);
  return plan;
}

int64_t DenseConvolution::ScratchFloats(const Geometry& geometry) const {
  const Plan plan = PlanFor(geometry);
  if (winograd_) {
    return plan.strip_lines * winograd::kPoints *
           (options_.in + RowKernels::kMaxVectors * kernels_.width);
  }
  return plan.pads ? ((plan.strip_lines - 1) * options_.stride + options_.kernel) * plan.row_floats
                   : 0;
}

void DenseConvolution::Pad(const Geometry& g, const Plan& plan, int64_t first, int64_t last,
                           const float* x, float* scratch) const {
  const int64_t in = options_.in;
  const int64_t top = first * options_.stride - g.pad_top;
  const int64_t bottom = (last - 1) * options_.stride - g.pad_top + options_.kernel;
  for (int64_t row = top; row < bottom; ++row) {
    float* const to = scratch + (row - top) * plan.row_floats;
    if (row < 0 || row >= g.in_height) {
      std::fill_n(to, plan.row_floats, 0.0f);
      continue;
    }
    std::fill_n(to, g.pad_left * in, 0.0f);
    float* const behind =
        std::copy_n(x + row * g.in_width * in, g.in_width * in, to + g.pad_left * in);
    std::fill(behind, to + plan.row_floats, 0.0f);
  }
}

void DenseConvolution::RunPanel(const Geometry& g, const Plan& plan, int64_t panel, int64_t first,
                                int64_t last, const float* x, int64_t origin, const float* residual,
                                float* y) const {
  const Panel& shape = packed_.panels()[panel];
  // Where there is more weight than image, so much of it at once as stays in the second-level
  // cache, beside the next as much, which the lines fetch by and by.
  const int passes = plan.by_panels ? options_.kernel : 1;
  const int64_t runs = options_.kernel / passes;
  const int64_t weight_floats = runs * options_.kernel * options_.in * shape.width;
  const int64_t pixels = OutPixels(g);
  for (int pass = 0; pass < passes; ++pass) {
    const float* const weight = packed_.weight(panel) + pass * weight_floats;
    const bool fetches = plan.by_panels && (panel + 1 < packed_.count() || pass + 1 < passes);
    PanelProduct product{.x_stride = options_.stride * options_.in,
                         .runs = runs,
                         .run_length = options_.kernel * options_.in,
                         .run_pitch = plan.row_floats,
                         .weight = weight,
                         .bias = pass == 0 ? packed_.bias(panel) : nullptr,
                         .start_stride = options_.out,
                         .y_stride = options_.out,
                         .columns = shape.columns,
                         .range = pass + 1 < passes ? Range{} : options_.range,
                         .ahead_floats = fetches ? weight_floats / plan.lines : 0};
    // The first pass begins with the residual, the others with the sums so far.
    const float* const start = pass == 0 ? residual : y;
    for (int64_t line = first; line < last; ++line) {
      const int64_t begin = plan.flat ? pixels * line / plan.lines : line * g.out_width;
      const int64_t end = plan.flat ? pixels * (line + 1) / plan.lines : begin + g.out_width;
      product.x = plan.flat ? x + begin * options_.in
                            : x + ((line - origin) * options_.stride + pass) * plan.row_floats;
      product.pixels = end - begin;
      product.start = start == nullptr ? nullptr : start + begin * options_.out + shape.first;
      product.y = y + begin * options_.out + shape.first;
      product.ahead = weight + (fetches ? weight_floats + line * product.ahead_floats : 0);
      kernels_.ProductFor(shape.vectors)(product);
    }
  }
}

void DenseConvolution::RunWinogradPanel(const Geometry& g, int64_t panel, int64_t first,
                                        int64_t last, const float* points, int64_t origin,
                                        int64_t end, const float* residual, float* y,
                                        float* sums) const {
  if (first >= last) {
    return;
  }
  const Panel& shape = packed_.panels()[panel];
  const int64_t weight_floats = options_.in * shape.width;
  for (int point = 0; point < winograd::kPoints; ++point) {
    const float* const weight = packed_.weight(panel) + point * weight_floats;
    const bool fetches = panel + 1 < packed_.count() || point + 1 < winograd::kPoints;
    kernels_.ProductFor(shape.vectors)(
        {.x = points + (point * (end - origin) + first - origin) * options_.in,
         .x_stride = options_.in,
         .run_length = options_.in,
         .weight = weight,
         .y = sums + point * (last - first) * shape.width,
         .y_stride = shape.width,
         .pixels = last - first,
         .columns = shape.width,
         .ahead = weight + (fetches ? weight_floats : 0),
         .ahead_floats = fetches ? weight_floats : 0});
  }
  winograd::TransformOutput(g, first, last,
                            {.points = sums,
                             .channels = shape.width,
                             .bias = packed_.bias(panel),
                             .residual = residual == nullptr ? nullptr : residual + shape.first,
                             .y = y + shape.first,
                             .pitch = options_.out,
                             .range = options_.range});
}

void DenseConvolution::Run(const Geometry& g, int part, int parts, const float* x,
                           const float* residual, float* y, float* scratch) const {
  const Plan plan = PlanFor(g);
  // The inputs that panels read: those of lines [origin, strip_end) in `scratch`, or all of them.
  const bool copies = winograd_ || plan.pads;
  const float* const input = copies ? scratch : x;
  int64_t origin = 0;
  int64_t strip_end = 0;
  const auto make = [&](int64_t first, int64_t last) {
    if (winograd_) {
      winograd::TransformInput(g, options_.in, first, last, x, scratch);
    } else if (plan.pads) {
      Pad(g, plan, first, last, x, scratch);
    }
    origin = copies ? first : 0;
    strip_end = last;
  };
  const auto run = [&](int64_t panel, int64_t first, int64_t last) {
    if (winograd_) {
      RunWinogradPanel(g, panel, first, last, input, origin, strip_end, residual, y,
                       scratch + plan.strip_lines * winograd::kPoints * options_.in);
    } else {
      RunPanel(g, plan, panel, first, last, input, origin, residual, y);
    }
  };
  if (!plan.by_panels) {
    const int64_t begin = plan.lines * part / parts;
    const int64_t mine = plan.lines * (part + 1) / parts - begin;
    // Strips of about equal height.
    const int64_t strips = (mine + plan.strip_lines - 1) / plan.strip_lines;
    for (int64_t strip = 0; strip < strips; ++strip) {
      const int64_t first = begin + mine * strip / strips;
      const int64_t last = begin + mine * (strip + 1) / strips;
      make(first, last);
      for (int64_t panel = 0; panel < packed_.count(); ++panel) {
        run(panel, first, last);
      }
    }
    return;
  }
  // Lines count through all panels, by the vectors they take; a part may end within a panel.
  const int64_t vectors = (options_.out + kernels_.width - 1) / kernels_.width;
  const int64_t begin = vectors * plan.lines * part / parts;
  const int64_t end = vectors * plan.lines * (part + 1) / parts;
  if (begin == end) {
    return;
  }
  make(0, plan.lines);
  int64_t before = 0;
  for (int64_t panel = 0; panel < packed_.count(); ++panel) {
    const int64_t mine = packed_.panels()[panel].vectors;
    const auto line = [&](int64_t at) {
      return std::clamp<int64_t>((at - before + mine - 1) / mine, 0, plan.lines);
    };
    run(panel, line(begin), line(end));
    before += mine * plan.lines;
  }
}

}  // namespace terminus::models::kernels
