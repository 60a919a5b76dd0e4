#include <cstdio>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/file.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "common/tensor/tensor.h"
#include "tools/cli/captions.h"
#include "tools/cli/client.h"
#include "tools/cli/command.h"
#include "tools/cli/gallery.h"
#include "tools/cli/html.h"
#include "tools/cli/ranking.h"
#include "tools/cli/table.h"
#include "tools/cli/thumbnail.h"

namespace terminus::tools::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kThumbnailSide = 320;

struct SearchOptions {
  std::string query;
  std::string folder;
  std::string html;
  int top = 12;
  bool no_cache = false;
};

struct Query {
  // "text", "image" or "video".
  const char* kind = "text";
  // Of the image or the video.
  std::string file;
  std::vector<float> vector;
};

struct Found {
  Query query;
  Gallery gallery;
  std::vector<Ranked> best;
  Captions captions;
  double seconds = 0;
};

absl::StatusOr<Query> MakeQuery(const Client& client, const std::string& text) {
  Query query;
  std::error_code error;
  const bool is_file = fs::is_regular_file(text, error);
  if (!is_file && (HasImageExtension(text) || HasVideoExtension(text))) {
    return absl::NotFoundError(
        absl::StrCat("no file ", text,
                     ": give the path of an image or a video, or words without such an ending"));
  }
  v1::EmbedRequest request;
  if (is_file) {
    TERMINUS_ASSIGN_OR_RETURN(query.file, base::ReadFile(text, kMaxImageFileBytes));
    *request.add_items() = ContentOfFile(query.file);
    query.kind = request.items(0).has_video() ? "video" : "image";
  } else {
    request.add_items()->set_text(text);
  }
  TERMINUS_ASSIGN_OR_RETURN(const v1::EmbedResponse response, client.Embed(request));
  if (absl::Status status = rpc::FromProto(response.results(0).status()); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("the query: ", status.message()));
  }
  TERMINUS_ASSIGN_OR_RETURN(query.vector, tensor::ToFloats(response.results(0).vector()));
  return query;
}

// An image is no answer to itself.
void LeaveOut(const std::string& path, Gallery& gallery) {
  for (size_t i = 0; i < gallery.images.size(); ++i) {
    std::error_code error;
    if (fs::equivalent(gallery.images[i].path, path, error)) {
      gallery.vectors[i].clear();
    }
  }
}

absl::StatusOr<Found> Search(const Client& client, const SearchOptions& options) {
  const absl::Time start = absl::Now();
  Found found;
  TERMINUS_ASSIGN_OR_RETURN(found.query, MakeQuery(client, options.query));
  TERMINUS_ASSIGN_OR_RETURN(
      found.gallery, EmbedFolder(client, options.folder,
                                 {.index_folder = options.no_cache ? "" : DefaultIndexFolder()}));
  if (!found.query.file.empty()) {
    LeaveOut(options.query, found.gallery);
  }
  found.best = TopK(found.query.vector, found.gallery.vectors, static_cast<size_t>(options.top));
  const std::string captions = options.folder + "/captions.json";
  if (fs::exists(captions)) {
    TERMINUS_ASSIGN_OR_RETURN(found.captions, ReadCaptions(captions));
  }
  found.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  return found;
}

std::string CaptionOf(const Found& found, const ImageFile& image) {
  const auto caption = found.captions.find(image.relative);
  return caption == found.captions.end() ? "" : caption->second;
}

std::string Summary(const Found& found) {
  std::string summary = absl::StrFormat("%d best of %d images in %.2f s", found.best.size(),
                                        found.gallery.images.size(), found.seconds);
  if (found.gallery.computed > 0) {
    absl::StrAppend(&summary, ", ", found.gallery.computed, " of them new to the index");
  }
  return summary;
}

absl::Status WriteHtml(const SearchOptions& options, const Found& found) {
  SearchPage page{.query = !found.query.file.empty() ? fs::path(options.query).filename().string()
                                                     : options.query,
                  .summary = Summary(found)};
  if (!found.query.file.empty()) {
    TERMINUS_ASSIGN_OR_RETURN(page.query_thumbnail,
                              MakeThumbnail(found.query.file, kThumbnailSide));
  }
  for (const Ranked& ranked : found.best) {
    const ImageFile& image = found.gallery.images[ranked.index];
    const absl::StatusOr<std::string> bytes = base::ReadFile(image.path, kMaxImageFileBytes);
    // A picture that has gone meanwhile, or that only the server can decode, has an empty frame.
    page.cards.push_back(
        {.thumbnail = bytes.ok() ? MakeThumbnail(*bytes, kThumbnailSide).value_or("") : "",
         .title = image.relative,
         .caption = CaptionOf(found, image),
         .score = ranked.score});
  }
  for (const FailedFile& failed : found.gallery.failed) {
    page.failed.push_back(absl::StrCat(failed.relative, ": ", failed.reason));
  }
  return base::WriteFileAtomic(options.html, RenderSearchPage(page));
}

void PrintFound(const SearchOptions& options, const Found& found) {
  nlohmann::json json = {{"query", options.query},
                         {"kind", found.query.kind},
                         {"space_id", found.gallery.space_id},
                         {"searched", found.gallery.images.size()},
                         {"embedded", found.gallery.computed},
                         {"seconds", found.seconds},
                         {"results", nlohmann::json::array()},
                         {"failed", nlohmann::json::array()}};
  for (const Ranked& ranked : found.best) {
    const ImageFile& image = found.gallery.images[ranked.index];
    json["results"].push_back({{"path", image.path},
                               {"relative", image.relative},
                               {"score", ranked.score},
                               {"caption", CaptionOf(found, image)}});
  }
  for (const FailedFile& failed : found.gallery.failed) {
    json["failed"].push_back({{"relative", failed.relative}, {"error", failed.reason}});
  }
  PrintJson(json);
}

void PrintTable(const Found& found) {
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < found.best.size(); ++i) {
    const ImageFile& image = found.gallery.images[found.best[i].index];
    rows.push_back({absl::StrFormat("%3d", i + 1), absl::StrFormat("%.3f", found.best[i].score),
                    image.relative, CaptionOf(found, image)});
  }
  absl::PrintF("%s\n%s", Summary(found), FormatTable(rows));
  PrintFailed("not searched", found.gallery.failed);
}

absl::Status RunSearch(const Globals& globals, const SearchOptions& options) {
  TERMINUS_ASSIGN_OR_RETURN(const Found found, Search(Client(globals), options));
  if (!options.html.empty()) {
    TERMINUS_RETURN_IF_ERROR(WriteHtml(options, found));
  }
  if (globals.json) {
    PrintFound(options, found);
  } else {
    PrintTable(found);
    if (!options.html.empty()) {
      absl::PrintF("wrote %s\n", options.html);
    }
  }
  if (found.gallery.images.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no image below ", options.folder,
                     " could be searched: JPEG, PNG and WebP files are looked for, and videos "
                     "where a cluster serves them"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddSearchCommand(CLI::App& app, Globals& globals, Command& command) {
  CLI::App* search = app.add_subcommand(
      "search", "Find the images and videos of a folder that match a text, an image or a video");
  auto options = std::make_shared<SearchOptions>();
  search->add_option("query", options->query, "Text, or the path of an image or a video")
      ->required();
  search->add_option("--in", options->folder, "Folder to search, with those below it")
      ->required()
      ->check(CLI::ExistingDirectory);
  search->add_option("--top", options->top, "How many to show")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  search->add_option("--html", options->html, "Also write the result as one HTML page");
  search->add_flag("--no-cache", options->no_cache, "Neither use nor keep vectors between runs");
  search->callback([&globals, &command, options] {
    command = [&globals, options] { return RunSearch(globals, *options); };
  });
}

}  // namespace terminus::tools::cli
