#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "common/serving/encoder_process.h"
#include "models/bundle/bundle.h"
#include "services/vision/vision_frontend.h"

namespace terminus::services::vision {
namespace {

using Loaded = serving::LoadedModel<executor::ImageBatch>;

absl::StatusOr<Loaded> Load(const std::string& folder, const config::EncoderConfig& options) {
  TERMINUS_ASSIGN_OR_RETURN(const models::bundle::BundleManifest manifest,
                            models::bundle::ReadManifest(folder));
  TERMINUS_ASSIGN_OR_RETURN(models::bundle::VisionModel model,
                            models::bundle::LoadVision(manifest, {.device = options.device,
                                                                  .precision = options.precision,
                                                                  .threads = options.threads}));
  TERMINUS_RETURN_IF_ERROR(models::bundle::VerifyVision(manifest, model));
  Loaded loaded;
  loaded.info = {.name = manifest.name,
                 .modality = v1::MODALITY_IMAGE,
                 .space_id = manifest.space.id,
                 .device = model.device};
  loaded.frontend = std::make_unique<VisionFrontend>(*model.preprocessor, options.limits);
  loaded.encoder = std::move(model.encoder);
  return loaded;
}

}  // namespace
}  // namespace terminus::services::vision

int main(int argc, char** argv) {
  return terminus::serving::RunEncoderProcess<terminus::executor::ImageBatch>(
      argc, argv,
      {.service = "vision",
       .section = &terminus::config::ClusterConfig::vision,
       .load = terminus::services::vision::Load});
}
