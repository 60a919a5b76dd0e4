#pragma once

#include "common/chat/text.h"

// HTML in texts, as the package markupsafe has it.
namespace terminus::chat {

// & < > ' " as entities.
Text Escaped(const Text& text);

}  // namespace terminus::chat
