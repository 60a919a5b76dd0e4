#pragma once

#include <memory>

#include "common/chat/chat_template.h"
#include "common/tokenizer/tokenizer.h"
#include "services/decoder/edge/text_codec.h"

namespace terminus::services::decoder::edge {

// The codec of a model whose vocabulary has so many ids. Without a chat template (null) the only
// conversation it takes is one message, which is the prompt as it stands.
std::unique_ptr<const TextCodec> MakeCodec(std::unique_ptr<const tokenizer::Tokenizer> tokenizer,
                                           std::unique_ptr<const chat::ChatTemplate> chat_template,
                                           chat::SpecialTokens special_tokens, int vocabulary_size);

}  // namespace terminus::services::decoder::edge
