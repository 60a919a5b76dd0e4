#pragma once

#include <string>
#include <vector>

namespace terminus::tools::cli {

// What a search found, to be shown.
struct SearchPage {
  struct Card {
    // JPEG bytes; empty when there is no picture to show.
    std::string thumbnail;
    std::string title;
    std::string caption;
    // Cosine; the bar is full at 1.
    float score = 0;
  };
  // The query's text, or the name of the query's image.
  std::string query;
  // Of the query's image; empty for a text.
  std::string query_thumbnail;
  // One line below the query, such as "3 best of 400 images".
  std::string summary;
  std::vector<Card> cards;
  // "name: reason" of the images that could not be searched.
  std::vector<std::string> failed;
};

// One page that needs nothing beside itself: style and pictures are inside, no script.
std::string RenderSearchPage(const SearchPage& page);

std::string EscapeHtml(const std::string& text);

}  // namespace terminus::tools::cli
