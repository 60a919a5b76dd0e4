#pragma once

#include <memory>

#include "common/chat/chat_template.h"
#include "common/tokenizer/tokenizer.h"
#include "services/decoder/edge/text_codec.h"

namespace terminus::services::decoder::edge {

// The codec of a real model. Without a chat template (null) the only conversation it takes is one
// message, which is the prompt as it stands.
std::unique_ptr<const TextCodec> MakeCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
                                           std::unique_ptr<const chat::ChatTemplate> chat_template,
                                           chat::SpecialTokens special_tokens);

}  // namespace terminus::services::decoder::edge
