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

DepthwiseProject::Plan DepthwiseProject::PlanFor(const Geometry& g) const {
  const int64_t stride = options_.stride;
  const int64_t kernel = options_.kernel;
  Plan plan;
  plan.window_width = (g.out_width - 1) * stride + kernel;
  // The image may reach beyond the last tap of a strided kernel.
  plan.window_width = std::max(plan.window_width, g.pad_left + g.in_width);
  plan.whole = g.in_height * plan.window_width <= kWholePixels;
  const int64_t padded = padded_channels();
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

DepthwiseProject::Strip DepthwiseProject::StripFor(const Geometry& g, int64_t first, int64_t last,
                                                   int64_t made) const {
  return {
      .first = first,
      .last = last,
      .in_first = std::max({made, int64_t{0}, first * options_.stride - g.pad_top}),
      .in_last = std::min(g.in_height, (last - 1) * options_.stride - g.pad_top + options_.kernel)};
}

int64_t DepthwiseProject::WindowFloats(const Plan& plan) const {
  return plan.window_rows * plan.window_width *
         (plan.whole ? RowKernels::kMaxVectors * kernels_.width : padded_channels());
}

int64_t DepthwiseProject::ScratchFloats(const Geometry& geometry) const {
  const Plan plan = PlanFor(geometry);
  return WindowFloats(plan) + plan.strip_rows * geometry.out_width * plan.group_width;
}

int64_t DepthwiseProject::GroupEnd(const Plan& plan, int64_t first) const {
  int64_t last = first + 1;
  while (last < depthwise_.count() &&
         panels()[last].first + panels()[last].width - panels()[first].first <= plan.group_width) {
    ++last;
  }
  return last;
}

void DepthwiseProject::ExpandRows(const Geometry& g, const Plan& plan, const Strip& strip,
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

void DepthwiseProject::FilterRows(const Geometry& g, const Plan& plan, const Strip& strip,
                                  int64_t panel, const float* window, float* filtered,
                                  int64_t stride) const {
  const int64_t width = panels()[panel].width;
  const auto run = kernels_.DepthwiseFor(options_.kernel, options_.stride);
  DepthwiseRow row{.weight = depthwise_.weight(panel),
                   .bias = depthwise_.bias(panel),
                   .out_stride = stride,
                   .out_width = g.out_width,
                   .vectors = panels()[panel].vectors};
  for (int64_t y = strip.first; y < strip.last; ++y) {
    const int64_t top = y * options_.stride - g.pad_top;
    row.first = static_cast<int>(std::max<int64_t>(0, -top));
    row.last = static_cast<int>(std::min<int64_t>(options_.kernel, g.in_height - top));
    for (int i = row.first; i < row.last; ++i) {
      row.rows[i] = window + (top + i) % plan.window_rows * plan.window_width * width;
    }
    row.out = filtered + (y - strip.first) * g.out_width * stride;
    run(row);
  }
}

void DepthwiseProject::ProjectGroup(int64_t first, int64_t last, const float* x, int64_t stride,
                                    int64_t pixels, const float* shortcut, float* out) const {
  const int64_t channel = panels()[first].first;
  PanelProduct product{
      .x = x,
      .x_stride = stride,
      .run_length = panels()[last - 1].first + panels()[last - 1].columns - channel,
      .start_stride = options_.out_channels,
      .y_stride = options_.out_channels,
      .pixels = pixels};
  // The first group begins with bias and shortcut, the others with the sums so far.
  const float* start = first == 0 ? shortcut : out;
  for (int64_t i = 0; i < project_.count(); ++i) {
    const Panel& panel = project_.panels()[i];
    product.weight = project_.weight(i) + channel * panel.width;
    product.bias = first == 0 ? project_.bias(i) : nullptr;
    product.start = start == nullptr ? nullptr : start + panel.first;
    product.y = out + panel.first;
    product.columns = panel.columns;
    kernels_.ProductFor(panel.vectors)(product);
  }
}

void DepthwiseProject::Run(const Geometry& g, int64_t first, int64_t last, Source source,
                           const float* shortcut, float* out, float* scratch) const {
  const Plan plan = PlanFor(g);
  float* filtered = scratch + WindowFloats(plan);
  int64_t made = 0;
  for (int64_t y = first; y < last; y += plan.strip_rows) {
    const int64_t end = std::min(last, y + plan.strip_rows);
    const Strip strip = StripFor(g, y, end, made);
    const int64_t offset = y * g.out_width * options_.out_channels;
    for (int64_t panel = 0; panel < depthwise_.count();) {
      const int64_t begin = panel;
      for (; panel < GroupEnd(plan, begin); ++panel) {
        // Of a panel: [window_rows, window_width, width].
        float* window =
            plan.whole ? scratch
                       : scratch + panels()[panel].first * plan.window_rows * plan.window_width;
        ExpandRows(g, plan, strip, source, panel, window);
        FilterRows(g, plan, strip, panel, window,
                   filtered + panels()[panel].first - panels()[begin].first, plan.group_width);
      }
      ProjectGroup(begin, panel, filtered, plan.group_width, (end - y) * g.out_width,
                   shortcut == nullptr ? nullptr : shortcut + offset, out + offset);
    }
    made = strip.in_last;
  }
}

void DepthwiseProject::Filter(const Geometry& g, int64_t first, int64_t last, Source source,
                              float* filtered, float* scratch) const {
  const Plan plan = PlanFor(g);
  TERMINUS_CHECK(plan.whole);
  const Strip strip = StripFor(g, 0, g.out_height, 0);
  for (int64_t panel = first; panel < last; ++panel) {
    ExpandRows(g, plan, strip, source, panel, scratch);
    FilterRows(g, plan, strip, panel, scratch, filtered + panels()[panel].first, padded_channels());
  }
}

void DepthwiseProject::Project(const Geometry& g, int64_t first, int64_t last,
                               const float* filtered, const float* shortcut, float* out) const {
  const Plan plan = PlanFor(g);
  const int64_t offset = first * options_.out_channels;
  // Groups as in Run, so that the sums are the same.
  for (int64_t panel = 0; panel < depthwise_.count();) {
    const int64_t end = GroupEnd(plan, panel);
    ProjectGroup(panel, end, filtered + first * padded_channels() + panels()[panel].first,
                 padded_channels(), last - first, shortcut == nullptr ? nullptr : shortcut + offset,
                 out + offset);
    panel = end;
  }
}

}  // namespace terminus::models::kernels
