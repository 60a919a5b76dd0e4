#include "models/settings/vision_config.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;

constexpr absl::string_view kTraining = "of training only";
constexpr absl::string_view kInitial =
    "sets weights before training; the file's weights replace them";
constexpr absl::string_view kPooler =
    "belongs to a head that is not computed; a picture's vector is "
    "the class token's";
constexpr absl::string_view kBackbone = "chooses feature maps of a backbone, which are not served";

constexpr const Table* kCommon[] = {&kCommonConfig};

constexpr Key kVitKeys[] = {
    Used("hidden_size", "elements of a token's vector"),
    Used("num_hidden_layers", "blocks"),
    Used("num_attention_heads", "heads of each block"),
    Used("hidden_act", "activation inside each block's MLP"),
    Used("layer_norm_eps", "added to variances"),
    Used("image_size", "pixels a side of the pictures that the positions were trained for"),
    Used("patch_size", "pixels a side of a patch"),
    Fixed("num_channels", "[3]", "pictures are RGB"),
    Fixed("image_processor_type", "[]", "the class must stand in preprocessor_config.json"),
};
constexpr Table kVitBase = {
    .file = "config.json", .kind = "image encoders", .keys = kVitKeys, .bases = kCommon};
constexpr const Table* kVitBases[] = {&kVitBase};

constexpr Key kClipVisionKeys[] = {
    Used("intermediate_size", "elements inside each block's MLP"),
    NoEffect("dropout", kTraining),
    NoEffect("projection_dim", "the value beside vision_config counts"),
};

constexpr Key kClipVisionModelKeys[] = {
    Used("projection_dim", "elements of a picture's vector"),
    Fixed("vision_config", "[]", "the object would be read in place of the file"),
};
constexpr const Table* kClipVisionModelBases[] = {&kClipVisionConfig};

constexpr Key kSiglipVisionKeys[] = {
    Used("intermediate_size", "elements inside each block's MLP"),
    Fixed("vision_use_head", "[true]", "a picture's vector comes from the attention pooling head"),
    NoEffect("is_causal", "SigLIP's attention does not look at it"),
};
constexpr Key kSiglipVisionModelKeys[] = {
    Fixed("vision_config", "[]", "the object would be read in place of the file"),
};
constexpr const Table* kSiglipVisionModelBases[] = {&kSiglipVisionConfig};

constexpr Key kPlainVitKeys[] = {
    Used("qkv_bias", "whether query, key and value have biases"),
    Used("head_dim", "elements of a head; supported is hidden_size / num_attention_heads"),
    NoEffect("hidden_dropout_prob", kTraining),
    NoEffect("attention_probs_dropout_prob", kTraining),
};
constexpr Table kPlainVitBase = {
    .file = "config.json", .kind = "image encoders", .keys = kPlainVitKeys, .bases = kVitBases};
constexpr const Table* kPlainVitBases[] = {&kPlainVitBase};

constexpr Key kVitModelKeys[] = {
    Used("intermediate_size", "elements inside each block's MLP"),
    NoEffect("encoder_stride", "belongs to a head for training"),
    NoEffect("pooler_output_size", kPooler),
    NoEffect("pooler_act", kPooler),
};

constexpr Key kDinov2Keys[] = {
    Used("mlp_ratio", "elements inside each block's MLP over hidden_size"),
    Used("use_swiglu_ffn", "whether the MLP is gated"),
    NoEffect("layerscale_value", kInitial),
    NoEffect("drop_path_rate", kTraining),
    NoEffect("use_mask_token", "only training masks patches"),
    NoEffect("apply_layernorm", kBackbone),
    NoEffect("reshape_hidden_states", kBackbone),
    NoEffect("out_features", kBackbone),
    NoEffect("_out_features", kBackbone),
    NoEffect("_out_indices", kBackbone),
    NoEffect("out_indices", kBackbone),
    NoEffect("stage_names", kBackbone),
};

constexpr Key kResNetKeys[] = {
    Used("embedding_size", "channels behind the stem"),
    Used("hidden_sizes", "channels of each stage"),
    Used("depths", "blocks of each stage"),
    Used("layer_type", "\"basic\" or \"bottleneck\""),
    Used("downsample_in_first_stage", "whether the first stage halves the sides"),
    Used("downsample_in_bottleneck", "which convolution of a bottleneck has the stride"),
    Fixed("hidden_act", "[\"relu\"]", "activation behind each convolution"),
    Fixed("num_channels", "[3]", "pictures are RGB"),
    NoEffect("out_features", kBackbone),
    NoEffect("_out_features", kBackbone),
    NoEffect("_out_indices", kBackbone),
    NoEffect("out_indices", kBackbone),
    NoEffect("stage_names", kBackbone),
};

}  // namespace

constexpr Table kClipVisionConfig = {.file = "config.json",
                                     .kind = "clip.vision_config",
                                     .keys = kClipVisionKeys,
                                     .bases = kVitBases};
constexpr Table kClipVisionModelConfig = {.file = "config.json",
                                          .kind = "clip_vision_model",
                                          .keys = kClipVisionModelKeys,
                                          .bases = kClipVisionModelBases};
constexpr Table kSiglipVisionConfig = {.file = "config.json",
                                       .kind = "siglip.vision_config",
                                       .keys = kSiglipVisionKeys,
                                       .bases = kVitBases};
constexpr Table kSiglipVisionModelConfig = {.file = "config.json",
                                            .kind = "siglip_vision_model",
                                            .keys = kSiglipVisionModelKeys,
                                            .bases = kSiglipVisionModelBases};
constexpr Table kVitConfig = {
    .file = "config.json", .kind = "vit", .keys = kVitModelKeys, .bases = kPlainVitBases};
constexpr Table kDinov2Config = {
    .file = "config.json", .kind = "dinov2", .keys = kDinov2Keys, .bases = kPlainVitBases};
constexpr Table kResNetConfig = {
    .file = "config.json", .kind = "resnet", .keys = kResNetKeys, .bases = kCommon};

}  // namespace terminus::models::settings
