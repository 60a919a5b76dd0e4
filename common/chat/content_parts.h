#pragma once

#include "common/chat/ast.h"

namespace terminus::chat {

// How a template reads the content of messages.
struct ContentUse {
  // It goes through the content as a list of parts somewhere.
  bool reads_parts = false;
  // It asks whether the content is a string somewhere: then it reads strings as well.
  bool reads_strings = false;
};

// Finds out by following `message.content` through variables and the parameters of macros.
ContentUse FindContentUse(const Template& parsed);

}  // namespace terminus::chat
