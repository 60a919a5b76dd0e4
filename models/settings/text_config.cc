#include "models/settings/text_config.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;

constexpr char kTraining[] = "of training only";
constexpr char kPooler[] = "of a pooler that is not computed";

constexpr const Table* kCommon[] = {&kCommonConfig};

constexpr Key kTextKeys[] = {
    Used("vocab_size", "rows of the token table"),
    Used("hidden_size", "elements of a token's vector"),
    Used("intermediate_size", "elements inside each block's MLP"),
    Used("num_hidden_layers", "blocks"),
    Used("num_attention_heads", "heads of each block"),
    Used("max_position_embeddings", "rows of the position table: the longest text in tokens"),
    Used("hidden_act", "activation inside each block's MLP"),
    Used("layer_norm_eps", "added to variances"),
};
constexpr Table kTextBase = {
    .file = "config.json", .kind = "text encoders", .keys = kTextKeys, .bases = kCommon};
constexpr const Table* kTextBases[] = {&kTextBase};

constexpr Key kBertKeys[] = {
    Used("architectures",
         "without a modules.json, a class that ends in ForCausalLM is refused: its texts would be "
         "pooled by the last token"),
    Used("type_vocab_size", "rows of the token type table, of which the first is added"),
    Fixed("position_embedding_type", "[\"absolute\"]", "positions would be encoded otherwise"),
    NoEffect("hidden_dropout_prob", kTraining),
    NoEffect("attention_probs_dropout_prob", kTraining),
    NoEffect("classifier_dropout", "of classification heads, which are not computed"),
    NoEffect("embedding_size", "of models whose token vectors are shorter; BERT's are not"),
    NoEffect("directionality", "a name from the first BERT files"),
    NoEffect("pooler_fc_size", kPooler),
    NoEffect("pooler_num_attention_heads", kPooler),
    NoEffect("pooler_num_fc_layers", kPooler),
    NoEffect("pooler_size_per_head", kPooler),
    NoEffect("pooler_type", kPooler),
};

constexpr Key kClipTextKeys[] = {
    Used("eos_token_id", "the token whose vector stands for the text; 2 means the highest id"),
    Fixed("is_causal", "[true]", "tokens would see those behind them"),
    NoEffect("is_decoder", "attention is causal in any case"),
    NoEffect("projection_dim", "the value beside text_config counts"),
    NoEffect("dropout", kTraining),
};
constexpr Key kClipTextModelKeys[] = {
    Used("projection_dim", "elements of a text's vector"),
    Fixed("text_config", "[]", "the object would be read in place of the file"),
};
constexpr const Table* kClipTextModelBases[] = {&kClipTextConfig};

constexpr Key kSiglipTextKeys[] = {
    Used("projection_size", "elements of a text's vector"),
    NoEffect("projection_dim", "an older name that no version reads"),
    NoEffect("is_decoder", "no layer looks at it"),
    NoEffect("dropout", kTraining),
};
constexpr Key kSiglipTextModelKeys[] = {
    Fixed("text_config", "[]", "the object would be read in place of the file"),
};
constexpr const Table* kSiglipTextModelBases[] = {&kSiglipTextConfig};

}  // namespace

constexpr Table kBertConfig = {
    .file = "config.json", .kind = "bert", .keys = kBertKeys, .bases = kTextBases};
constexpr Table kClipTextConfig = {
    .file = "config.json", .kind = "clip.text_config", .keys = kClipTextKeys, .bases = kTextBases};
constexpr Table kClipTextModelConfig = {.file = "config.json",
                                        .kind = "clip_text_model",
                                        .keys = kClipTextModelKeys,
                                        .bases = kClipTextModelBases};
constexpr Table kSiglipTextConfig = {.file = "config.json",
                                     .kind = "siglip.text_config",
                                     .keys = kSiglipTextKeys,
                                     .bases = kTextBases};
constexpr Table kSiglipTextModelConfig = {.file = "config.json",
                                          .kind = "siglip_text_model",
                                          .keys = kSiglipTextModelKeys,
                                          .bases = kSiglipTextModelBases};

}  // namespace terminus::models::settings
