#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "common/serving/encoder_process.h"
#include "models/bundle/bundle.h"
#include "services/video/video_frontend.h"

namespace terminus::services::video {
namespace {

using Loaded = serving::LoadedModel<executor::VideoBatch>;

absl::StatusOr<Loaded> Load(const std::string& folder, const config::EncoderConfig& options) {
  TERMINUS_ASSIGN_OR_RETURN(const models::bundle::BundleManifest manifest,
                            models::bundle::ReadManifest(folder));
  TERMINUS_ASSIGN_OR_RETURN(models::bundle::VideoModel model,
                            models::bundle::LoadVideo(manifest, {.device = options.device,
                                                                 .precision = options.precision,
                                                                 .threads = options.threads}));
  TERMINUS_RETURN_IF_ERROR(models::bundle::VerifyVideo(manifest, model));
  Loaded loaded;
  loaded.info = {.name = manifest.name,
                 .modality = v1::MODALITY_VIDEO,
                 .space_id = manifest.space.id,
                 .default_frames = model.frames,
                 .device = model.device};
  loaded.frontend =
      std::make_unique<VideoFrontend>(*model.preprocessor, model.frames, options.limits);
  loaded.encoder = std::move(model.encoder);
  return loaded;
}

}  // namespace
}  // namespace terminus::services::video

int main(int argc, char** argv) {
  return terminus::serving::RunEncoderProcess<terminus::executor::VideoBatch>(
      argc, argv,
      {.service = "video",
       .section = &terminus::config::ClusterConfig::video,
       .load = terminus::services::video::Load});
}
