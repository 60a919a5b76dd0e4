#include "models/settings/sentence_files.h"

namespace terminus::models::settings {
namespace {

using terminus::settings::Fixed;
using terminus::settings::Key;
using terminus::settings::NoEffect;
using terminus::settings::Used;
using terminus::settings::UsedObject;

constexpr char kFile[] = "sentence_bert_config.json";
constexpr char kLoading[] = "says how Python loads the weights, not what they are";
constexpr char kTask[] = "texts would be cut or extended by what a call says they are";
constexpr char kOtherInput[] = "of pictures, sounds and videos";
constexpr char kOutput[] = "the module would leave its result elsewhere";
constexpr char kAdapter[] = "an adapter's weights would be added";
constexpr char kOtherFile[] = "the weights would be read from elsewhere";
constexpr char kSpread[] = "the model would be spread over devices";
constexpr char kHub[] = "says how Python finds the folder, which is at hand";
constexpr char kTokenizer[] = "the tokenizer would be another one";
constexpr char kSide[] = "positions of tokens would depend on the other texts of a batch";
constexpr char kBack[] = "of turning tokens back into text";
constexpr char kPair[] = "a second text would be encoded";
constexpr char kReturned[] = "chooses what the tokenizer returns beside the tokens";
constexpr char kFlag[] = "a pooling mode, in the files of old versions";

constexpr Key kModuleKeys[] = {
    Used("type", "the module's class, by its full path"),
    Used("path", "the module's folder inside this one"),
    Used("name", "modules of one name would replace each other, so names must differ"),
    NoEffect("idx", "modules run in the order of the list"),
    NoEffect("kwargs", "arguments of a call that the module may be given; no call gives any"),
};

constexpr Key kHubKeys[] = {
    NoEffect("_commit_hash", kHub),
    NoEffect("_from_auto", kHub),
    NoEffect("_from_pipeline", kHub),
    NoEffect("cache_dir", kHub),
    NoEffect("code_revision", kHub),
    NoEffect("force_download", kHub),
    NoEffect("local_files_only", kHub),
    NoEffect("proxies", kHub),
    NoEffect("revision", kHub),
    NoEffect("subfolder", kHub),
    NoEffect("token", kHub),
    NoEffect("tqdm_class", kHub),
    NoEffect("trust_remote_code", "code of the folder is never run"),
};
constexpr Table kHubArguments = {
    .file = kFile, .kind = "Transformer, finding files", .keys = kHubKeys};
constexpr const Table* kHubBases[] = {&kHubArguments};

constexpr Key kModelKeys[] = {
    Fixed("adapter_kwargs", "[{}]", kAdapter),
    NoEffect("adapter_name", "names an adapter, of which there is none"),
    Fixed("key_mapping", "[{}]", "tensors would have other names"),
    Fixed("quantization_config", "[]", "the weights would be quantized"),
    Fixed("fusion_config", "[]", "layers would be replaced"),
    Fixed("kernel_config", "[]", "layers would be replaced"),
    Fixed("use_kernels", "[false]", "layers would be replaced"),
    Fixed("gguf_file", "[]", kOtherFile),
    Fixed("state_dict", "[]", kOtherFile),
    Fixed("variant", "[]", kOtherFile),
    Fixed("tp_plan", "[]", kSpread),
    Fixed("tp_size", "[]", kSpread),
    Fixed("device_mesh", "[]", kSpread),
    Fixed("distributed_config", "[]", kSpread),
    NoEffect("experts_implementation", "of mixtures of experts, which these families are not"),
    NoEffect("generation_config", "of models that continue texts"),
    NoEffect("ignore_mismatched_sizes", "tensors of another size are refused"),
    NoEffect("allow_all_kernels", kLoading),
    NoEffect("disable_mmap", kLoading),
    NoEffect("max_memory", kLoading),
    NoEffect("offload_buffers", kLoading),
    NoEffect("offload_folder", kLoading),
    NoEffect("output_loading_info", kLoading),
    NoEffect("weights_only", kLoading),
    NoEffect("attn_implementation", "chooses among kernels that compute the same attention"),
    NoEffect("torch_dtype", "Terminus chooses what it computes in"),
    NoEffect("dtype", "Terminus chooses what it computes in"),
    NoEffect("low_cpu_mem_usage", kLoading),
    NoEffect("device_map", kLoading),
    NoEffect("use_safetensors", kLoading),
    NoEffect("add_pooling_layer", "the pooler is not computed"),
};

constexpr Key kProcessorKeys[] = {
    Fixed("_is_local", "[]", kTokenizer),
    Fixed("_json_padding", "[]", kTokenizer),
    Fixed("_json_truncation", "[]", kTokenizer),
    Fixed("_spm_precompiled_charsmap", "[]", kTokenizer),
    Fixed("add_bos_token", "[]", kTokenizer),
    Fixed("add_eos_token", "[]", kTokenizer),
    Fixed("add_prefix_space", "[]", kTokenizer),
    Fixed("added_tokens_decoder", "[]", kTokenizer),
    Fixed("additional_special_tokens", "[]", kTokenizer),
    Fixed("backend", "[\"tokenizers\"]", kTokenizer),
    Fixed("bos_token", "[]", kTokenizer),
    Fixed("chat_control_tokens", "[]", kTokenizer),
    Fixed("cls_token", "[]", kTokenizer),
    Fixed("config", "[]", kTokenizer),
    Fixed("do_lower_case", "[]", kTokenizer),
    Fixed("eos_token", "[]", kTokenizer),
    Fixed("extra_special_tokens", "[]", kTokenizer),
    Fixed("files_loaded", "[]", kTokenizer),
    Fixed("fix_mistral_regex", "[]", kTokenizer),
    Fixed("gguf_file", "[]", kTokenizer),
    Fixed("init_configuration", "[]", kTokenizer),
    Fixed("mask_token", "[]", kTokenizer),
    Fixed("max_len", "[]", kTokenizer),
    Fixed("merges", "[]", kTokenizer),
    Fixed("mistral_format", "[]", kTokenizer),
    Fixed("model_input_names", "[]", "padding could be attended to"),
    Fixed("model_specific_special_tokens", "[]", kTokenizer),
    Fixed("pad_token", "[]", kTokenizer),
    Fixed("padding_side", "[\"right\"]", kSide),
    Fixed("post_processor", "[]", kTokenizer),
    Fixed("resolved_vocab_files", "[]", kTokenizer),
    Fixed("sep_token", "[]", kTokenizer),
    Fixed("split_special_tokens", "[false]", kTokenizer),
    Fixed("strip_accents", "[]", kTokenizer),
    Fixed("tokenize_chinese_chars", "[]", kTokenizer),
    Fixed("tokenizer", "[]", kTokenizer),
    Fixed("tokenizer_file", "[]", kTokenizer),
    Fixed("tokenizer_object", "[]", kTokenizer),
    Fixed("tokenizer_padding", "[]", kTokenizer),
    Fixed("tokenizer_truncation", "[]", kTokenizer),
    Fixed("tokenizer_type", "[]", kTokenizer),
    Fixed("truncation_side", "[]", "over-long texts would lose their other end"),
    Fixed("unk_id", "[]", kTokenizer),
    Fixed("unk_token", "[]", kTokenizer),
    Fixed("vocab", "[]", kTokenizer),
    Fixed("vocab_file", "[]", kTokenizer),
    NoEffect("chat_template", "texts are not rendered as messages"),
    NoEffect("clean_up_tokenization_spaces", kBack),
    NoEffect("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output", kBack),
    NoEffect("name_or_path", "names the place that the tokenizer came from"),
    NoEffect("processor_class", "names the class that saved the tokenizer"),
    NoEffect("response_schema", kBack),
    NoEffect("response_template", kBack),
    NoEffect("verbose", "chooses which warnings Python shows"),
    Used("model_max_length", "a limit of a text's tokens"),
    NoEffect("use_fast", "tokenizer.json is of the fast tokenizer"),
};

constexpr Key kProcessingTextKeys[] = {
    Used("max_length", "a limit of a text's tokens"),
    Fixed("padding", "[true, false, \"longest\", \"do_not_pad\"]",
          "tokens without meaning would be counted in"),
    Fixed("truncation", "[true, \"longest_first\", \"only_first\"]",
          "over-long texts would be encoded in another way"),
    Fixed("add_special_tokens", "[true]", "texts would lack their special tokens"),
    Fixed("return_tensors", "[\"pt\"]", "the result would be another type"),
    Fixed("return_attention_mask", "[true]", "padding would be attended to"),
    Fixed("padding_side", "[\"right\"]", kSide),
    Fixed("return_overflowing_tokens", "[false]", "over-long texts would become several"),
    Fixed("is_split_into_words", "[false]", "texts would be taken for lists of words"),
    Fixed("sanitize_control_tokens", "[false]", "special tokens would be taken for text"),
    Fixed("text_pair", "[]", kPair),
    Fixed("text_target", "[]", kPair),
    Fixed("text_pair_target", "[]", kPair),
    NoEffect("stride", "of over-long texts that become several"),
    NoEffect("return_length", kReturned),
    NoEffect("return_offsets_mapping", kReturned),
    NoEffect("return_special_tokens_mask", kReturned),
    NoEffect("return_mm_token_type_ids", kReturned),
    NoEffect("return_text_replacement_offsets", kReturned),
    NoEffect("verbose", "chooses which warnings Python shows"),
    NoEffect("return_token_type_ids", "all tokens of a text are of the first type"),
    NoEffect("pad_to_multiple_of", "texts are not padded"),
};

constexpr Key kProcessingKeys[] = {
    UsedObject("text", &kProcessingOfTexts, "how texts are tokenized"),
    UsedObject("common", &kProcessingOfTexts, "the same, and counts more"),
    NoEffect("audio", kOtherInput),
    NoEffect("image", kOtherInput),
    NoEffect("video", kOtherInput),
    NoEffect("chat_template", "texts are not rendered as messages"),
};

constexpr Key kTransformerKeys[] = {
    Used("max_seq_length", "a limit of a text's tokens"),
    Used("do_lower_case", "texts are lower-cased before the tokenizer's own normalizer"),
    Fixed("transformer_task", "[\"feature-extraction\"]", "the model would have another head"),
    Fixed("modality_config",
          R"([{"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
              {"text": {"method": "forward", "method_output_name": ["last_hidden_state"]}}])",
          "texts would be rendered as messages, or taken from another output"),
    Fixed("module_output_name", "[\"token_embeddings\"]", kOutput),
    UsedObject("processing_kwargs", &kProcessingArguments, "how inputs are tokenized"),
    UsedObject("model_kwargs", &kModelArguments, "how the model is loaded"),
    UsedObject("model_args", &kModelArguments, "the older name of model_kwargs"),
    UsedObject("processor_kwargs", &kProcessorArguments, "how the tokenizer is loaded"),
    UsedObject("tokenizer_args", &kProcessorArguments, "the older name of processor_kwargs"),
    Fixed("config_kwargs", "[{}, {\"trust_remote_code\": true}, {\"trust_remote_code\": false}]",
          "keys of config.json would be replaced"),
    Fixed("config_args", "[{}, {\"trust_remote_code\": true}, {\"trust_remote_code\": false}]",
          "keys of config.json would be replaced"),
    Fixed("tokenizer_name_or_path", "[]", "the tokenizer would be another one"),
    Fixed("query_length", "[]", kTask),
    Fixed("document_length", "[]", kTask),
    Fixed("query_expansion", "[]", kTask),
    NoEffect("unpad_inputs", "texts are packed without padding in any case"),
    NoEffect("backend", "the caller's choice replaces it"),
    NoEffect("cache_dir", "says where Python keeps what it downloads"),
};

constexpr Key kPoolingKeys[] = {
    Used("pooling_mode", "how a text's token vectors become one"),
    Used("pooling_mode_cls_token", kFlag),
    Used("pooling_mode_max_tokens", kFlag),
    Used("pooling_mode_mean_tokens", kFlag),
    Used("pooling_mode_mean_sqrt_len_tokens", kFlag),
    Used("pooling_mode_weightedmean_tokens", kFlag),
    Used("pooling_mode_lasttoken", kFlag),
    Fixed("include_prompt", "[true]", "a prompt's tokens would be left out of the mean"),
    NoEffect("embedding_dimension", "the encoder's config.json says how long vectors are"),
    NoEffect("word_embedding_dimension", "the older name of embedding_dimension"),
};

constexpr Key kNormalizeKeys[] = {
    Fixed("module_input_name", "[\"sentence_embedding\"]", "other vectors would be scaled"),
    Fixed("module_output_name", "[\"sentence_embedding\"]", kOutput),
};

constexpr Key kDenseKeys[] = {
    Used("in_features", "elements of a vector before"),
    Used("out_features", "elements of a vector after"),
    Used("bias", "whether the linear map has one"),
    Used("activation_function", "the class of what follows the linear map"),
    Fixed("module_input_name", "[\"sentence_embedding\"]", "other vectors would be mapped"),
    Fixed("module_output_name", "[\"sentence_embedding\"]", kOutput),
    Fixed("use_residual", "[false]", "the input would be added to the output"),
};

constexpr Key kSentenceKeys[] = {
    Used("prompts", "texts to put in front, by the names that requests give"),
    Used("default_prompt_name", "the prompt of requests that name none"),
    Fixed("truncate_dim", "[]", "vectors would be cut"),
    Fixed("model_type", "[\"SentenceTransformer\"]", "the modules would be of another kind"),
    NoEffect("similarity_fn_name", "says how Python compares two vectors, not what they are"),
    NoEffect("__version__", "names the versions that wrote the file"),
    NoEffect("requirements", "names the Python packages that the reference needs"),
};

}  // namespace

constexpr Table kModule = {.file = "modules.json", .kind = "each module", .keys = kModuleKeys};
constexpr Table kTransformerModule = {
    .file = kFile, .kind = "Transformer", .keys = kTransformerKeys};
constexpr Table kModelArguments = {
    .file = kFile, .kind = "Transformer.model_kwargs", .keys = kModelKeys, .bases = kHubBases};
constexpr Table kProcessorArguments = {.file = kFile,
                                       .kind = "Transformer.processor_kwargs",
                                       .keys = kProcessorKeys,
                                       .bases = kHubBases};
constexpr Table kProcessingArguments = {
    .file = kFile, .kind = "Transformer.processing_kwargs", .keys = kProcessingKeys};
constexpr Table kProcessingOfTexts = {
    .file = kFile, .kind = "Transformer.processing_kwargs.text", .keys = kProcessingTextKeys};
constexpr Table kPoolingModule = {.file = "config.json", .kind = "Pooling", .keys = kPoolingKeys};
constexpr Table kNormalizeModule = {
    .file = "config.json", .kind = "Normalize", .keys = kNormalizeKeys};
constexpr Table kDenseModule = {.file = "config.json", .kind = "Dense", .keys = kDenseKeys};
constexpr Table kSentenceTransformersConfig = {
    .file = "config_sentence_transformers.json", .kind = "all modules", .keys = kSentenceKeys};

}  // namespace terminus::models::settings
