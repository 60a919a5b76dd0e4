#include <string>
#include <utility>

#include "common/base/status_macros.h"
#include "common/serving/encoder_process.h"
#include "models/bundle/bundle.h"
#include "services/text/text_frontend.h"

namespace terminus::services::text {
namespace {

using Loaded = serving::LoadedModel<executor::TextBatch>;

absl::StatusOr<Loaded> Load(const std::string& folder, const config::EncoderConfig& options) {
  TERMINUS_ASSIGN_OR_RETURN(const models::bundle::BundleManifest manifest,
                            models::bundle::ReadManifest(folder));
  TERMINUS_ASSIGN_OR_RETURN(models::bundle::TextModel model,
                            models::bundle::LoadText(manifest, {.device = options.device,
                                                                .precision = options.precision,
                                                                .threads = options.threads}));
  TERMINUS_RETURN_IF_ERROR(models::bundle::VerifyText(manifest, model));
  Loaded loaded;
  loaded.info = {.name = manifest.name,
                 .modality = v1::MODALITY_TEXT,
                 .space_id = manifest.space.id,
                 .max_tokens = model.max_tokens,
                 .device = model.device};
  for (const auto& prompt : model.prompts) {
    loaded.info.prompts.push_back(prompt.first);
  }
  loaded.frontend = std::make_unique<TextFrontend>(
      std::move(model.tokenizer),
      TextFrontend::Rules{.max_tokens = model.max_tokens,
                          .max_tokens_source = std::move(model.max_tokens_source),
                          .embedding_rows = model.embedding_rows,
                          .prompts = std::move(model.prompts),
                          .default_prompt = std::move(model.default_prompt)},
      options.limits);
  loaded.encoder = std::move(model.encoder);
  return loaded;
}

}  // namespace
}  // namespace terminus::services::text

int main(int argc, char** argv) {
  return terminus::serving::RunEncoderProcess<terminus::executor::TextBatch>(
      argc, argv,
      {.service = "text",
       .section = &terminus::config::ClusterConfig::text,
       .load = terminus::services::text::Load});
}
