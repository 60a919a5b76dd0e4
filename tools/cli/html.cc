#include "tools/cli/html.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace terminus::tools::cli {
namespace {

constexpr char kStyle[] = R"(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #16181d; --soft: #667085;
  --line: #e4e7ec; --bar: #3559e0; --picture: #fff; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1115; --card: #181b21; --text: #eceef2;
  --soft: #98a2b3; --line: #2a2f38; --bar: #7c9bff; --picture: #fff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
header { display: flex; align-items: center; gap: 20px; margin-bottom: 28px; }
header img { width: 112px; height: 112px; object-fit: contain; background: var(--picture);
  border: 1px solid var(--line); border-radius: 12px; }
.brand { font-size: 12px; letter-spacing: .12em; text-transform: uppercase; color: var(--soft); }
h1 { margin: 2px 0; font-size: 28px; line-height: 1.25; overflow-wrap: anywhere; }
.summary { margin: 0; color: var(--soft); }
.grid { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr));
  margin: 0; padding: 0; list-style: none; }
.card { display: flex; flex-direction: column; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
.picture { position: relative; aspect-ratio: 4 / 3; background: var(--picture); }
.picture img { position: absolute; inset: 0; width: 100%; height: 100%; padding: 10px;
  object-fit: contain; }
.about { display: flex; flex: 1; flex-direction: column; padding: 12px 14px 14px; }
.caption { margin: 0; line-height: 1.35; }
.title { margin: 0; font-size: 12px; color: var(--soft); overflow-wrap: anywhere; }
.score { display: flex; align-items: center; gap: 10px; margin-top: auto; padding-top: 10px; font-size: 12px;
  color: var(--soft); font-variant-numeric: tabular-nums; }
.track { flex: 1; height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; }
.fill { height: 100%; border-radius: 3px; background: var(--bar); }
details { margin-top: 28px; color: var(--soft); }
details li { overflow-wrap: anywhere; }
)";

std::string ImageTag(const std::string& jpeg, const std::string& alt) {
  return absl::StrCat("<img alt=\"", EscapeHtml(alt), "\" src=\"data:image/jpeg;base64,",
                      absl::Base64Escape(jpeg), "\">");
}

std::string RenderCard(const SearchPage::Card& card, size_t rank) {
  const double percent = std::clamp(static_cast<double>(card.score), 0.0, 1.0) * 100;
  std::string html = "<li class=\"card\"><div class=\"picture\">";
  if (!card.thumbnail.empty()) {
    html += ImageTag(card.thumbnail, card.caption.empty() ? card.title : card.caption);
  }
  html += "</div><div class=\"about\">";
  if (!card.caption.empty()) {
    absl::StrAppend(&html, "<p class=\"caption\">", EscapeHtml(card.caption), "</p>");
  }
  absl::StrAppend(&html, "<p class=\"title\">", EscapeHtml(card.title), "</p>");
  absl::StrAppendFormat(&html,
                        "<div class=\"score\"><span>%d</span><div class=\"track\">"
                        "<div class=\"fill\" style=\"width:%.1f%%\"></div></div>"
                        "<span>%.3f</span></div></div></li>\n",
                        rank, percent, card.score);
  return html;
}

}  // namespace

std::string EscapeHtml(const std::string& text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string RenderSearchPage(const SearchPage& page) {
  const std::string query = EscapeHtml(page.query);
  std::string html = absl::StrCat(
      "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
      query, " – Terminus search</title>\n<style>", kStyle, "</style>\n<main>\n<header>");
  if (!page.query_thumbnail.empty()) {
    html += ImageTag(page.query_thumbnail, page.query);
  }
  absl::StrAppend(&html, "<div><div class=\"brand\">Terminus search",
                  page.query_thumbnail.empty() ? "" : " · images like", "</div><h1>", query,
                  "</h1><p class=\"summary\">", EscapeHtml(page.summary),
                  "</p></div></header>\n<ol class=\"grid\">\n");
  for (size_t i = 0; i < page.cards.size(); ++i) {
    html += RenderCard(page.cards[i], i + 1);
  }
  html += "</ol>\n";
  if (!page.failed.empty()) {
    absl::StrAppend(&html, "<details><summary>", page.failed.size(),
                    " could not be searched</summary><ul>");
    for (const std::string& line : page.failed) {
      absl::StrAppend(&html, "<li>", EscapeHtml(line), "</li>");
    }
    html += "</ul></details>\n";
  }
  html += "</main>\n</html>\n";
  return html;
}

}  // namespace terminus::tools::cli
