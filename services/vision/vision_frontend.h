#pragma once

#include "common/config/cluster_config.h"
#include "common/executor/encoder.h"
#include "common/media/preprocessor.h"
#include "common/serving/frontend.h"

namespace terminus::services::vision {

// Decodes images and brings them to the model's size, one image a pool thread. Thread-safe.
class VisionFrontend : public serving::Frontend<executor::ImageBatch> {
 public:
  VisionFrontend(const media::ImagePreprocessor& preprocessor, const config::Limits& limits)
      : preprocessor_(preprocessor), limits_(limits) {}

  // An item fails alone: EMPTY_ITEM, UNSUPPORTED_MODALITY, UNSUPPORTED_FORMAT, IMAGE_TOO_LARGE,
  // IMAGE_UNDECODABLE.
  serving::Prepared<executor::ImageBatch> Prepare(const v1::EncodeBatchRequest& request,
                                                  absl::Span<const absl::Status> admitted,
                                                  base::ThreadPool& pool) const override;

 private:
  absl::StatusOr<media::Image> Load(const v1::EncodeItem& item) const;

  const media::ImagePreprocessor preprocessor_;
  const config::Limits limits_;
};

}  // namespace terminus::services::vision
