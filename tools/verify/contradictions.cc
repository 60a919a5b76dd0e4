#include "tools/verify/contradictions.h"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/file.h"
#include "common/media/preprocessor_config.h"
#include "common/settings/collector.h"
#include "common/tokenizer/embedding_rows.h"
#include "common/tokenizer/tokenizer.h"
#include "common/weights/tensor_map.h"
#include "common/weights/tensor_names.h"
#include "tools/verify/model_files.h"

namespace terminus::tools::verify {
namespace {

using nlohmann::json;

constexpr const char* kTokenNames[] = {"bos_token", "eos_token", "pad_token", "unk_token",
                                       "cls_token", "sep_token", "mask_token"};
constexpr size_t kMaxTemplateBytes = 1 << 20;

std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json ObjectOf(const json& value) { return value.is_object() ? value : json::object(); }

// A special token stands as a string, or as an object with its content.
std::string ContentOf(const json& token) {
  return token.is_string() ? token.get<std::string>() : StringAt(token, "content");
}

// Whether an id, one or a list, is or has `id`.
bool HasId(const json& ids, int64_t id) {
  if (!ids.is_array()) return ids == id;
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

// Collects what the files of one folder say against each other.
class Comparison {
 public:
  explicit Comparison(const std::string& folder)
      : top_(folder),
        files_(top_.EncoderFolder()),
        config_(files_.Read("config.json")),
        tokenizer_config_(files_.Read("tokenizer_config.json")) {
    auto tokenizer = tokenizer::Tokenizer::Load(files_.PathOf("tokenizer.json"));
    if (tokenizer.ok()) tokenizer_ = *std::move(tokenizer);
  }

  std::vector<std::string> Run() {
    CompareVocabulary();
    CompareSpecialTokens();
    CompareGeneration();
    CompareLengths();
    CompareImages();
    CompareTemplates();
    CompareWeights();
    return std::move(found_);
  }

 private:
  template <class... Args>
  void Add(const Args&... args) {
    found_.push_back(absl::StrCat(args...));
  }

  // A key of config.json, of its text_config where that stands for the texts.
  json TextKey(absl::string_view key) const {
    const json text = At(config_, "text_config");
    const json inner = At(text, key);
    return inner.is_null() ? At(config_, key) : inner;
  }

  absl::optional<int64_t> IdOf(const std::string& token) const {
    if (tokenizer_ == nullptr || token.empty()) return absl::nullopt;
    const auto id = tokenizer_->TokenId(token);
    return id ? absl::optional<int64_t>(*id) : absl::nullopt;
  }

  void CompareVocabulary();
  void CompareSpecialTokens();
  void CompareGeneration();
  void CompareLengths();
  void CompareImages();
  void CompareTemplates();
  void CompareWeights();
  void CompareIndex(const weights::TensorMap& map);
  void CompareHead(const weights::TensorMap& map);

  ModelFiles top_;
  ModelFiles files_;
  json config_;
  json tokenizer_config_;
  std::unique_ptr<const tokenizer::Tokenizer> tokenizer_;
  std::vector<std::string> found_;
};

void Comparison::CompareVocabulary() {
  if (tokenizer_ == nullptr) return;
  const json rows = TextKey("vocab_size");
  if (rows.is_number_integer() && rows.get<int64_t>() >= 0 &&
      rows.get<int64_t>() < tokenizer_->vocabulary_size()) {
    for (const std::string& token :
         tokenizer::TokensBeyond(*tokenizer_, static_cast<int32_t>(rows.get<int64_t>()))) {
      Add(files_.PathOf("tokenizer.json"), ": has a ", token, "; config.json: vocab_size is ",
          Dump(rows));
    }
  }
  const json added = ObjectOf(files_.Read("added_tokens.json"));
  for (const auto& [token, id] : added.items()) {
    const auto known = IdOf(token);
    if (!known || id != *known) {
      Add(files_.PathOf("added_tokens.json"), ": token \"", token, "\" has the id ", Dump(id),
          "; in tokenizer.json it ",
          known ? absl::StrCat("has the id ", *known) : std::string("is no token"));
    }
  }
  const json decoder = ObjectOf(At(tokenizer_config_, "added_tokens_decoder"));
  for (const auto& [id, token] : decoder.items()) {
    const auto known = IdOf(ContentOf(token));
    int64_t number = 0;
    if (absl::SimpleAtoi(id, &number) && (!known || number != *known)) {
      Add(files_.PathOf("tokenizer_config.json"), ": added_tokens_decoder: token \"",
          ContentOf(token), "\" has the id ", id, "; in tokenizer.json it ",
          known ? absl::StrCat("has the id ", *known) : std::string("is no token"));
    }
  }
}

void Comparison::CompareSpecialTokens() {
  const json map = files_.Read("special_tokens_map.json");
  for (const char* name : kTokenNames) {
    const std::string token = ContentOf(At(tokenizer_config_, name));
    const std::string mapped = ContentOf(At(map, name));
    if (!token.empty() && !mapped.empty() && token != mapped) {
      Add(files_.PathOf("special_tokens_map.json"), ": ", name, " is \"", mapped,
          "\"; tokenizer_config.json: \"", token, "\"");
    }
    const std::string key = absl::StrCat(name, "_id");
    const json configured = TextKey(key);
    if (const auto id = IdOf(token); id && !configured.is_null() && !HasId(configured, *id)) {
      Add(files_.PathOf("config.json"), ": ", key, " is ", Dump(configured),
          "; tokenizer_config.json: ", name, " is \"", token, "\", which has the id ", *id);
    }
  }
}

void Comparison::CompareGeneration() {
  const json generation = files_.Read("generation_config.json");
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    const json generated = At(generation, key);
    const json configured = TextKey(key);
    if (generated.is_null() || configured.is_null()) continue;
    bool all = true;
    for (const json& id : configured.is_array() ? configured : json::array({configured})) {
      all = all && id.is_number_integer() && HasId(generated, id.get<int64_t>());
    }
    if (!all) {
      Add(files_.PathOf("generation_config.json"), ": ", key, " is ", Dump(generated),
          ", which counts; config.json: ", Dump(configured));
    }
  }
}

void Comparison::CompareLengths() {
  const json positions = TextKey("max_position_embeddings");
  const json longest = At(tokenizer_config_, "model_max_length");
  const auto sentence = IntAt(files_.Read("sentence_bert_config.json"), "max_seq_length");
  if (!positions.is_number_integer()) return;
  // A tokenizer without a limit has one of about 1e30.
  if (longest.is_number_integer() && longest.get<int64_t>() > positions.get<int64_t>()) {
    Add(files_.PathOf("tokenizer_config.json"), ": model_max_length is ", Dump(longest),
        "; config.json: max_position_embeddings is ", Dump(positions), ", which counts");
  }
  if (sentence && *sentence > positions.get<int64_t>()) {
    Add(files_.PathOf("sentence_bert_config.json"), ": max_seq_length is ", *sentence,
        "; config.json: max_position_embeddings is ", Dump(positions), ", which counts");
  }
}

void Comparison::CompareImages() {
  const json nested = At(top_.Read("processor_config.json"), "image_processor");
  const json file = top_.Read("preprocessor_config.json");
  const std::string path = top_.PathOf(nested.is_null() ? "preprocessor_config.json"
                                                        : "processor_config.json: image_processor");
  const auto size_of = [](const json& section) -> std::string {
    const settings::Collector warnings_dropped;
    const auto config = media::ReadPreprocessorConfig("preprocessor_config.json", Dump(section));
    return section.is_object() && config.ok() ? absl::StrCat(config->width, "x", config->height)
                                              : "";
  };
  const std::string used = size_of(nested.is_null() ? file : nested);
  const std::string other = nested.is_null() ? "" : size_of(file);
  if (!other.empty() && used != other) {
    Add(top_.PathOf("preprocessor_config.json"), ": makes images of ", other, " pixels; ", path,
        ", which counts, of ", used);
  }
  const json vision = At(config_, "vision_config");
  const auto side = IntAt(vision.is_object() ? vision : config_, "image_size");
  // DINOv2 takes other sizes than that of its training.
  if (side && !used.empty() && StringAt(config_, "model_type") != "dinov2" &&
      used != absl::StrCat(*side, "x", *side)) {
    Add(path, ": makes images of ", used, " pixels; config.json: image_size is ", *side);
  }
}

void Comparison::CompareTemplates() {
  const std::string inside = StringAt(tokenizer_config_, "chat_template");
  const auto file = base::ReadFile(files_.PathOf("chat_template.jinja"), kMaxTemplateBytes);
  if (!inside.empty() && file.ok() && *file != inside) {
    Add(files_.PathOf("tokenizer_config.json"),
        ": chat_template is another than chat_template.jinja, which counts");
  }
}

void Comparison::CompareWeights() {
  const auto map = weights::TensorMap::Open(files_.folder());
  if (!map.ok()) return;
  found_.insert(found_.end(), (*map)->warnings().begin(), (*map)->warnings().end());
  CompareIndex(**map);
  CompareHead(**map);
  std::string dtype = StringAt(config_, "dtype");
  if (dtype.empty()) dtype = StringAt(config_, "torch_dtype");
  std::map<std::string, int64_t> bytes;
  for (const std::string& name : (*map)->names()) {
    const weights::TensorView& tensor = *(*map)->Find(name);
    bytes[std::string(weights::DTypeName(tensor.dtype))] += tensor.data.size();
  }
  if (!dtype.empty() && !bytes.empty() && bytes.count(dtype) == 0) {
    const auto most =
        std::max_element(bytes.begin(), bytes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    Add(files_.PathOf("config.json"), ": dtype is ", dtype, "; the weights are stored as ",
        most->first);
  }
}

void Comparison::CompareIndex(const weights::TensorMap& map) {
  const char* const file = "model.safetensors.index.json";
  const json index = files_.Read(file);
  if (!index.is_object()) return;
  if (files_.Has("model.safetensors")) {
    Add(files_.PathOf(file), ": lies beside model.safetensors, which counts");
    return;
  }
  const auto total = IntAt(At(index, "metadata"), "total_size");
  if (total && static_cast<uint64_t>(*total) != map.bytes()) {
    Add(files_.PathOf(file), ": metadata.total_size is ", *total, "; the shards have ", map.bytes(),
        " bytes of tensors");
  }
  const json named = At(index, "weight_map");
  for (const std::string& name : map.names()) {
    if (!named.contains(name)) {
      Add(files_.PathOf(file), ": weight_map does not name the tensor \"", name,
          "\", which a shard has");
    }
  }
}

void Comparison::CompareHead(const weights::TensorMap& map) {
  constexpr absl::string_view kPrefixes[] = {"model."};
  const weights::TensorView* head = nullptr;
  const weights::TensorView* embedding = nullptr;
  for (const std::string& name : map.names()) {
    const std::string model_name = weights::ModelName(name, {.prefixes = kPrefixes});
    if (model_name == "lm_head.weight") head = map.Find(name);
    if (model_name == "embed_tokens.weight") embedding = map.Find(name);
  }
  if (At(config_, "tie_word_embeddings") != true || head == nullptr || embedding == nullptr) return;
  if (head->dtype != embedding->dtype || head->shape != embedding->shape ||
      head->data != embedding->data) {
    Add(files_.PathOf("config.json"),
        ": tie_word_embeddings is true; the weights have an "
        "lm_head.weight of other values than the embedding's, which counts");
  }
}

}  // namespace

std::vector<std::string> FindContradictions(const std::string& folder) {
  return Comparison(folder).Run();
}

}  // namespace terminus::tools::verify
