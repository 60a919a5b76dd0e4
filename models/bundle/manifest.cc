#include "models/bundle/manifest.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "models/bundle/plain_folder.h"
#include "models/bundle/yaml_section.h"
#include "models/catalog/catalog.h"

namespace terminus::models::bundle {
namespace {

namespace fs = std::filesystem;

// The same code, and behind the message what would be accepted.
absl::Status Refuse(const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), "\n", catalog::WhatCanBeServed()));
}

// A path that the bundle names must exist.
std::string ReadPath(YamlSection& section, const std::string& folder,
                     const std::string& key = "path") {
  const std::string path = absl::StrCat(folder, "/", section.String(key));
  if (!fs::exists(path)) {
    section.Fault(key, absl::StrCat(path, " does not exist"));
  }
  return path;
}

// `makes_vectors`: a language model alone makes none, and needs no dimension.
Space ReadSpace(YamlSection section, bool makes_vectors) {
  constexpr int64_t kMaxDimension = 1 << 16;
  Space space{.id = section.String("id"), .logit_scale = section.NumberOr("logit_scale", 1)};
  space.dimension =
      static_cast<int>(makes_vectors ? section.Int("dimension", 1, kMaxDimension)
                                     : section.IntOr("dimension", 0, kMaxDimension, 0));
  if (space.id.size() != 32 ||
      space.id.find_first_not_of("0123456789abcdef") != std::string::npos) {
    section.Fault("id", absl::StrCat("\"", space.id, "\", expected 32 hexadecimal digits"));
  }
  section.Done();
  return space;
}

Projection ReadProjection(YamlSection section, const std::string& folder) {
  Projection projection{.type = section.String("type"), .path = ReadPath(section, folder)};
  projection.top_k = static_cast<int>(section.IntOr("top_k", 1, 1 << 20, 10));
  projection.temperature = section.NumberOr("temperature", 1);
  if (projection.type != "class_mixture") {
    section.Fault("type",
                  absl::StrCat("\"", projection.type, "\", supported is \"class_mixture\""));
  }
  if (!(projection.temperature > 0)) {
    section.Fault("temperature", "expected a number above 0");
  }
  section.Done();
  return projection;
}

VisionSection ReadVision(YamlSection section, const std::string& folder) {
  VisionSection vision{.path = ReadPath(section, folder)};
  if (section.Has("projection")) {
    vision.projection = ReadProjection(section.Child("projection"), folder);
  }
  section.Done();
  return vision;
}

VideoSection ReadVideo(YamlSection section, const BundleManifest& manifest) {
  VideoSection video{.tower = ReadPath(section, manifest.folder, "tower")};
  if (section.Has("projection")) {
    video.projection = ReadProjection(section.Child("projection"), manifest.folder);
  } else if (manifest.vision && manifest.vision->path == video.tower) {
    video.projection = manifest.vision->projection;
  }
  video.frames = static_cast<int>(section.IntOr("frames", 1, 256, video.frames));
  video.pooling = section.Has("pooling") ? section.String("pooling") : "mean";
  if (video.pooling != "mean") {
    section.Fault("pooling", absl::StrCat("\"", video.pooling, "\", supported is \"mean\""));
  }
  section.Done();
  return video;
}

std::string ReadPathOnly(YamlSection section, const std::string& folder) {
  std::string path = ReadPath(section, folder);
  section.Done();
  return path;
}

absl::StatusOr<BundleManifest> ReadBundle(const std::string& folder) {
  TERMINUS_ASSIGN_OR_RETURN(YamlFile file, YamlFile::Read(folder + "/bundle.yaml"));
  YamlSection root = file.root();
  root.Int("format", 1, 1);
  BundleManifest manifest{.folder = folder, .name = root.String("name")};
  const bool makes_vectors = root.Has("text") || root.Has("vision") || root.Has("video");
  manifest.space = ReadSpace(root.Child("space"), makes_vectors || !root.Has("decoder"));
  if (root.Has("text")) {
    manifest.text = TextSection{.path = ReadPathOnly(root.Child("text"), folder)};
  }
  if (root.Has("vision")) {
    manifest.vision = ReadVision(root.Child("vision"), folder);
  }
  if (root.Has("video")) {
    manifest.video = ReadVideo(root.Child("video"), manifest);
  }
  if (root.Has("decoder")) {
    manifest.decoder = DecoderSection{.path = ReadPathOnly(root.Child("decoder"), folder)};
  }
  if (root.Has("golden")) {
    manifest.golden_path = ReadPathOnly(root.Child("golden"), folder);
  }
  if (!manifest.text && !manifest.vision && !manifest.video && !manifest.decoder) {
    root.Fault("text",
               "missing, and vision, video and decoder too: a bundle has at least one of them");
  }
  root.Done();
  TERMINUS_RETURN_IF_ERROR(file.status());
  return manifest;
}

}  // namespace

absl::StatusOr<BundleManifest> ReadManifest(const std::string& folder, bool identify) {
  if (!fs::is_directory(folder)) {
    return Refuse(absl::NotFoundError(absl::StrCat(folder, ": no such folder")));
  }
  if (fs::exists(folder + "/bundle.yaml")) {
    return ReadBundle(folder);
  }
  auto manifest = ReadPlainFolder(folder, identify);
  return manifest.ok() ? std::move(manifest) : Refuse(manifest.status());
}

}  // namespace terminus::models::bundle
