#include "models/kernels/convolution/depthwise_project.h"

#include <algorithm>

#include "common/base/check.h"

namespace terminus::models::kernels {
namespace {

// A window of so few pixels is made whole: a panel of it stays in the first-level cache or close.
constexpr int64_t kWholePixels = 512;
// What a strip of a larger image may take of the second-level cache, beside weights and outputs.
constexpr int64_t kWindowFloats = 40 << 10;
constexpr int64_t kFilteredFloats = 16 << 10;
// Fewer channels than these are not worth another pass over the outputs.
constexpr int64_t kGroupChannels = 96;

}  // namespace

DepthwiseProject::DepthwiseProject(const Options& options, const float* depthwise,
                                   const float* depthwise_bias, const float* project,
                                   const float* project_bias, const RowKernels& kernels)
    : options_(options),
      kernels_(kernels),
      depthwise_(depthwise, depthwise_bias, options.kernel * options.kernel, options.channels,
                 kernels),
      project_(project, project_bias, options.channels, options.out_channels, kernels) {
  TERMINUS_CHECK(options.kernel == 3 || options.kernel == 5);
  TERMINUS_CHECK(options.stride == 1 || options.stride == 2);
}

DepthwiseProject::Share DepthwiseProject::Whole(const Geometry& geometry) const {
  return {0, geometry.out_height, 0, depthwise_.count()};
}

bool DepthwiseProject::SharesByChannels(const Geometry& geometry) const {
  return PlanFor(geometry).whole;
}

DepthwiseProject::Plan DepthwiseProject::PlanFor(const Geometry& g) const {
  const int64_t stride = options_.stride;
  const int64_t kernel = options_.kernel;
  Plan plan;
  plan.window_width = (g.out_width - 1) * stride + kernel;
  // The image may reach beyond the last tap of a strided kernel.
  plan.window_width = std::max(plan.window_width, g.pad_left + g.in_width);
  plan.whole = g.in_height * plan.window_width <= kWholePixels;
  const int64_t padded = panels().back().first + panels().back().width;
  if (plan.whole) {
    plan.strip_rows = g.out_height;
    plan.window_rows = g.in_height;
    plan.group_width = std::max(kGroupChannels,
                                kFilteredFloats / std::max<int64_t>(1, g.out_height * g.out_width));
  } else {
    const auto window_rows = [&](int64_t rows) { return (rows - 1) * stride + kernel; };
    plan.strip_rows = 1;
    while (plan.strip_rows < g.out_height &&
           window_rows(plan.strip_rows + 1) * plan.window_width * padded <= kWindowFloats &&
           (plan.strip_rows + 1) * g.out_width * padded <= kFilteredFloats) {
      ++plan.strip_rows;
    }
    plan.window_rows = window_rows(plan.strip_rows);
    plan.group_width = std::max(kGroupChannels, kFilteredFloats / (plan.strip_rows * g.out_width));
  }
  plan.group_width = std::min(plan.group_width, padded);
  return plan;
}

int64_t DepthwiseProject::ScratchFloats(const Geometry& geometry) const {
  const Plan plan = PlanFor(geometry);
  const int64_t padded = panels().back().first + panels().back().width;
  const int64_t window = plan.whole ? RowKernels::kMaxVectors * kernels_.width : padded;
  return plan.window_rows * plan.window_width * window +
         plan.strip_rows * geometry.out_width * plan.group_width;
}

// Of a panel: [window_rows, window_width, width].
float* DepthwiseProject::WindowOf(const Plan& plan, float* scratch, int64_t panel) const {
  return plan.whole ? scratch
                    : scratch + panels()[panel].first * plan.window_rows * plan.window_width;
}

void DepthwiseProject::Expand(const Geometry& g, const Plan& plan, const Strip& strip,
                              Source source, int64_t panel, float* window) const {
  const int64_t width = panels()[panel].width;
  const int64_t behind = plan.window_width - g.pad_left - g.in_width;
  for (int64_t y = strip.in_first; y < strip.in_last; ++y) {
    float* row = window + y % plan.window_rows * plan.window_width * width;
    std::fill_n(row, g.pad_left * width, 0.0f);
    source(y, panel, row + g.pad_left * width);
    std::fill_n(row + (g.pad_left + g.in_width) * width, behind * width, 0.0f);
  }
}

void DepthwiseProject::Filter(const Geometry& g, const Plan& plan, const Strip& strip,
                              int64_t panel, const float* window, float* filtered) const {
  const int64_t width = panels()[panel].width;
  const auto run = kernels_.DepthwiseFor(options_.kernel, options_.stride);
  DepthwiseRow row{.weight = depthwise_.weight(panel),
                   .bias = depthwise_.bias(panel),
                   .out_stride = plan.group_width,
                   .out_width = g.out_width,
                   .vectors = panels()[panel].vectors};
  for (int64_t y = strip.first; y < strip.last; ++y) {
    const int64_t top = y * options_.stride - g.pad_top;
    row.first = static_cast<int>(std::max<int64_t>(0, -top));
    row.last = static_cast<int>(std::min<int64_t>(options_.kernel, g.in_height - top));
    for (int i = row.first; i < row.last; ++i) {
      row.rows[i] = window + (top + i) % plan.window_rows * plan.window_width * width;
    }
    row.out = filtered + (y - strip.first) * g.out_width * plan.group_width;
    run(row);
  }
}

void DepthwiseProject::Run(const Geometry& g, const Share& share, Source source,
                           const float* shortcut, float* out, float* scratch) const {
  const Plan plan = PlanFor(g);
  const Panel& last = panels().back();
  float* filtered = scratch + plan.window_rows * plan.window_width *
                                  (plan.whole ? RowKernels::kMaxVectors * kernels_.width
                                              : last.first + last.width);
  int64_t made = 0;
  for (int64_t y = share.first_row; y < share.last_row; y += plan.strip_rows) {
    const int64_t end = std::min(share.last_row, y + plan.strip_rows);
    const Strip strip{.first = y,
                      .last = end,
                      .in_first = std::max({made, int64_t{0}, y * options_.stride - g.pad_top}),
                      .in_last = std::min(
                          g.in_height, (end - 1) * options_.stride - g.pad_top + options_.kernel)};
    const int64_t offset = y * g.out_width * options_.out_channels;
    for (int64_t panel = share.first_panel; panel < share.last_panel;) {
      const int64_t first = panel;
      const int64_t channel = panels()[first].first;
      for (; panel < share.last_panel &&
             panels()[panel].first + panels()[panel].width - channel <= plan.group_width;
           ++panel) {
        float* window = WindowOf(plan, scratch, panel);
        Expand(g, plan, strip, source, panel, window);
        Filter(g, plan, strip, panel, window, filtered + panels()[panel].first - channel);
      }
      const bool starts = first == share.first_panel;
      const float* start = starts ? (first == 0 ? shortcut : nullptr) : out;
      Project({.x = filtered,
               .x_stride = plan.group_width,
               .run_length = panels()[panel - 1].first + panels()[panel - 1].columns - channel,
               .start = start == nullptr ? nullptr : start + offset,
               .y = out + offset,
               .pixels = (end - y) * g.out_width},
              channel);
    }
    made = strip.in_last;
  }
}

// `product` with channels in between from `channel` on; those from 0 on have the bias.
void DepthwiseProject::Project(PanelProduct product, int64_t channel) const {
  float* const y = product.y;
  const float* const start = product.start;
  product.start_stride = product.y_stride = options_.out_channels;
  for (int64_t i = 0; i < project_.count(); ++i) {
    const Panel& panel = project_.panels()[i];
    product.weight = project_.weight(i) + channel * panel.width;
    product.bias = channel == 0 ? project_.bias(i) : nullptr;
    product.start = start == nullptr ? nullptr : start + panel.first;
    product.y = y + panel.first;
    product.columns = panel.columns;
    kernels_.ProductFor(panel.vectors)(product);
  }
}

}  // namespace terminus::models::kernels
