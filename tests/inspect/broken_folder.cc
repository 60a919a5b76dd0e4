#include "tests/inspect/broken_folder.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace terminus::tests {
namespace {

using nlohmann::json;

constexpr size_t kHeaderPrefix = 8;

class Breaker {
 public:
  Breaker(const std::vector<WholeFolder>& whole, uint32_t seed) : whole_(whole), random_(seed) {}

  BrokenFolder Run() {
    const WholeFolder& folder = whole_[Below(whole_.size())];
    BrokenFolder broken{folder.name, folder.files};
    const size_t changes = 1 + Below(3);
    for (size_t i = 0; i < changes; ++i) {
      absl::StrAppend(&broken.name, i == 0 ? ": " : ", ", Change(&broken.files));
    }
    return broken;
  }

 private:
  size_t Below(size_t count) {
    return std::uniform_int_distribution<size_t>(0, count - 1)(random_);
  }

  // A file, weights more often than their number says.
  std::string AnyFile(const Files& files) {
    std::vector<std::string> names;
    for (const auto& [name, content] : files) {
      names.push_back(name);
      if (absl::EndsWith(name, ".safetensors") || absl::EndsWith(name, "config.json")) {
        names.push_back(name);
      }
    }
    return names[Below(names.size())];
  }

  std::string Change(Files* files) {
    if (files->empty()) return "nothing left";
    const std::string name = AnyFile(*files);
    std::string& content = (*files)[name];
    switch (Below(9)) {
      case 0:
        files->erase(name);
        return absl::StrCat("no ", name);
      case 1:
        content.resize(content.empty() ? 0 : Below(content.size()));
        return absl::StrCat("cut ", name, " to ", content.size());
      case 2:
        content.clear();
        return absl::StrCat("empty ", name);
      case 3:
        return absl::StrCat("bytes of ", name, MutateBytes(&content));
      case 4:
        return Swap(name, files);
      case 5:
        return TakeFromAnother(name, &content);
      case 6:
        return absl::EndsWith(name, ".safetensors") ? Shard(name, files)
                                                    : absl::StrCat(name, MutateJson(&content));
      default:
        return absl::StrCat(name, absl::EndsWith(name, ".safetensors") ? MutateHeader(&content)
                                                                       : MutateJson(&content));
    }
  }

  std::string MutateBytes(std::string* content) {
    for (int i = 0; i < 3 && !content->empty(); ++i) {
      // The beginning holds more that counts.
      const size_t at = Below(std::min<size_t>(content->size(), 400));
      (*content)[at] = static_cast<char>(Below(256));
    }
    return "";
  }

  std::string Swap(const std::string& name, Files* files) {
    const std::string other = AnyFile(*files);
    std::swap((*files)[name], (*files)[other]);
    return absl::StrCat("swapped ", name, " and ", other);
  }

  std::string TakeFromAnother(const std::string& name, std::string* content) {
    const WholeFolder& other = whole_[Below(whole_.size())];
    const std::string base = name.substr(name.rfind('/') + 1);
    const auto found = other.files.find(base);
    if (found != other.files.end()) *content = found->second;
    return absl::StrCat(name, " of ", other.name);
  }

  json AnyValue() {
    const json values[] = {nullptr,
                           true,
                           false,
                           0,
                           -1,
                           1,
                           2,
                           3,
                           17,
                           1 << 20,
                           int64_t{1} << 40,
                           1e30,
                           0.5,
                           -0.0,
                           "",
                           "x",
                           "gelu",
                           "float16",
                           json::array(),
                           json::object(),
                           {1, 2},
                           {{"a", 1}}};
    return values[Below(std::size(values))];
  }

  // A random place inside, and its name.
  std::pair<json*, std::string> AnyPlace(json* value) {
    std::string path;
    while ((value->is_object() || value->is_array()) && !value->empty() &&
           (path.empty() || Below(3) > 0)) {
      const size_t index = Below(value->size());
      auto at = value->begin();
      std::advance(at, index);
      absl::StrAppend(&path, "/", value->is_object() ? at.key() : absl::StrCat(index));
      value = &*at;
    }
    return {value, path};
  }

  std::string MutateJson(std::string* content) {
    json parsed = json::parse(*content, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_discarded()) return MutateBytes(content);
    std::string done;
    if (parsed.is_object() && !parsed.empty() && Below(3) == 0) {
      auto at = parsed.begin();
      std::advance(at, Below(parsed.size()));
      done = absl::StrCat(" without ", at.key());
      parsed.erase(at);
    } else {
      const auto [place, path] = AnyPlace(&parsed);
      *place = AnyValue();
      done = absl::StrCat(path, " = ", place->dump());
    }
    *content = parsed.dump(-1, ' ', false, json::error_handler_t::replace);
    return done;
  }

  // The header of a safetensors file as JSON; null where it has none.
  static json HeaderOf(const std::string& content, size_t* length) {
    if (content.size() < kHeaderPrefix) return nullptr;
    *length = 0;
    for (size_t i = kHeaderPrefix; i-- > 0;) {
      *length = *length << 8 | static_cast<uint8_t>(content[i]);
    }
    if (*length > content.size() - kHeaderPrefix) return nullptr;
    const json header = json::parse(content.substr(kHeaderPrefix, *length), nullptr, false);
    return header.is_object() ? header : json();
  }

  static std::string WithHeader(const json& header, absl::string_view data) {
    const std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
    std::string file;
    for (size_t i = 0; i < kHeaderPrefix; ++i) {
      file.push_back(static_cast<char>(text.size() >> (8 * i)));
    }
    return absl::StrCat(file, text, data);
  }

  std::string MutateHeader(std::string* content) {
    size_t length = 0;
    json header = HeaderOf(*content, &length);
    if (header.is_null() || header.empty()) return MutateBytes(content);
    auto at = header.begin();
    std::advance(at, Below(header.size()));
    const std::string name = at.key();
    json entry = *at;
    std::string done;
    switch (Below(5)) {
      case 0:
        done = absl::StrCat(" without ", name);
        header.erase(at);
        break;
      case 1:
        done = absl::StrCat(" renames ", name);
        header.erase(at);
        header[absl::StrCat(name, "_")] = entry;
        break;
      case 2: {
        constexpr const char* kTypes[] = {"F32", "F16", "BF16", "F64", "I32", "U8", "F8_E4M3", "Q"};
        entry["dtype"] = kTypes[Below(std::size(kTypes))];
        header[name] = entry;
        done = absl::StrCat(" ", name, " as ", entry["dtype"].dump());
        break;
      }
      case 3:
        if (entry.contains("shape") && entry["shape"].is_array()) {
          std::reverse(entry["shape"].begin(), entry["shape"].end());
          if (Below(2) == 0) entry["shape"].push_back(1);
        }
        header[name] = entry;
        done = absl::StrCat(" ", name, " in another shape");
        break;
      default: {
        const auto [place, path] = AnyPlace(&header);
        *place = AnyValue();
        done = absl::StrCat(path, " = ", place->dump());
      }
    }
    *content = WithHeader(header, content->substr(kHeaderPrefix + length));
    return done;
  }

  // Two shards and an index in place of one file; now and then the index is mutated too.
  std::string Shard(const std::string& name, Files* files) {
    size_t length = 0;
    const std::string content = (*files)[name];
    const json header = HeaderOf(content, &length);
    if (header.is_null()) return "no header to shard";
    const std::string folder = name.substr(0, name.rfind('/') + 1);
    json parts[2] = {json::object(), json::object()};
    std::string data[2];
    json weight_map = json::object();
    for (const auto& [tensor, entry] : header.items()) {
      if (!entry.is_object() || !entry.contains("data_offsets")) continue;
      const json& offsets = entry["data_offsets"];
      if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
          !offsets[1].is_number_unsigned()) {
        continue;
      }
      const size_t part = Below(2);
      const size_t begin = offsets[0].get<size_t>();
      const size_t size = offsets[1].get<size_t>() - begin;
      if (begin > content.size() || size > content.size()) continue;
      const size_t start = std::min(kHeaderPrefix + length + begin, content.size());
      parts[part][tensor] = entry;
      parts[part][tensor]["data_offsets"] = {data[part].size(), data[part].size() + size};
      data[part].append(content, start, size);
      weight_map[tensor] = absl::StrCat("part", part, ".safetensors");
    }
    files->erase(name);
    for (size_t i = 0; i < 2; ++i) {
      (*files)[absl::StrCat(folder, "part", i, ".safetensors")] = WithHeader(parts[i], data[i]);
    }
    std::string index = json({{"metadata", {{"total_size", data[0].size() + data[1].size()}}},
                              {"weight_map", weight_map}})
                            .dump();
    const std::string done = Below(2) == 0 ? MutateJson(&index) : "";
    (*files)[absl::StrCat(folder, "model.safetensors.index.json")] = index;
    return absl::StrCat(name, " in two shards", done);
  }

  const std::vector<WholeFolder>& whole_;
  std::mt19937 random_;
};

}  // namespace

BrokenFolder Break(const std::vector<WholeFolder>& whole, uint32_t seed) {
  return Breaker(whole, seed).Run();
}

}  // namespace terminus::tests
