#pragma once

#include <cstdint>

// The decoder engine of libterminus_cuda.so, as plain C: a table of functions that the loader asks
// for by one name. Pointers are device pointers unless they say host; matrices are bfloat16,
// row-major, and must be 16-byte aligned.
extern "C" {

// Raised with every change of the table; the loader refuses another version.
#define TERMINUS_LLAMA_API_VERSION 1

// One layer's weights. Null where the model has none.
struct TerminusLlamaLayer {
  const void* attention_norm;  // [hidden]
  const void* qkv;             // [q + 2 · kv, hidden]
  const void* qkv_bias;        // [q + 2 · kv]
  const void* query_norm;      // [head_dim]
  const void* key_norm;        // [head_dim]
  const void* attention_out;   // [hidden, q]
  const void* attention_out_bias;
  const void* mlp_norm;  // [hidden]
  const void* gate_up;   // [2 · intermediate, hidden]: all of gate, then all of up.
  const void* gate_up_bias;
  const void* down;  // [hidden, intermediate]
  const void* down_bias;
  // A token sees as many tokens, itself included; 0: all before it.
  int32_t window;
  // Whether queries and keys are rotated.
  int32_t rotates;
};

struct TerminusLlamaModel {
  int32_t device;
  int32_t vocab_size;
  int32_t hidden_size;  // This and the two below: multiples of 8.
  int32_t intermediate_size;
  int32_t layer_count;
  int32_t heads;
  int32_t kv_heads;
  int32_t head_dim;     // 64 or 128.
  int32_t max_context;  // Tokens of a sequence at most.
  float norm_eps;
  float softmax_scale;
  float rope_scale;               // Cosine and sine are multiplied by it.
  const float* rope_frequencies;  // host [head_dim / 2]
  const TerminusLlamaLayer* layers;
  const void* embedding;   // [vocab, hidden]
  const void* final_norm;  // [hidden]
  const void* head;        // [vocab, hidden]
};

struct TerminusLlamaLimits {
  int32_t slots;       // Sequences in a step at most, and of which the last token is kept.
  int32_t max_tokens;  // Tokens in a step at most, at least `slots`.
  int32_t kv_blocks;   // Blocks of 16 tokens.
};

// One forward pass, in host memory that the call only reads. As models/decoder/step_runner.h says
// of ForwardInput; the caller has checked it.
struct TerminusLlamaStep {
  int32_t tokens;
  int32_t sequences;
  int32_t logits_count;
  const int32_t* token_ids;         // [tokens]; -1: the slot's last token.
  const int32_t* query_indptr;      // [sequences + 1]
  const int32_t* slots;             // [sequences]
  const int32_t* kv_indptr;         // [sequences + 1]
  const int32_t* kv_indices;
  const int32_t* last_page_len;     // [sequences]
  const int32_t* logits_sequences;  // [logits_count]
};

typedef struct TerminusLlama TerminusLlama;

// What `create` took, in bytes.
struct TerminusLlamaMemory {
  int64_t kv_cache;
  int64_t workspace;
};

struct TerminusLlamaApi {
  int version;
  // Functions that return int return 0, or -1 and why in `error` (host, `size` bytes). One thread
  // at a time uses an engine.

  // Keeps the weights' pointers. Allocates all that the engine ever will, tries products for every
  // batch size and captures graphs: seconds.
  int (*create)(const TerminusLlamaModel* model, const TerminusLlamaLimits* limits,
                TerminusLlama** engine, char* error, uint64_t size);
  void (*destroy)(TerminusLlama* engine);
  TerminusLlamaMemory (*memory)(const TerminusLlama* engine);

  // Gives the device a forward pass and returns. At most two steps may be between forward and
  // wait. Row i of `logits` (float32 [logits_count, vocab]) is that of logits_sequences[i], valid
  // until the next forward.
  int (*forward)(TerminusLlama* engine, const TerminusLlamaStep* step, char* error, uint64_t size);
  // Ends the step's work, and waits for the oldest step that was ended.
  int (*end_step)(TerminusLlama* engine, char* error, uint64_t size);
  int (*wait)(TerminusLlama* engine, char* error, uint64_t size);
  // float32 [rows of the last forward, vocab], and where row i of logits_sequences lies.
  const float* (*logits)(const TerminusLlama* engine);
  const int32_t* (*logits_rows)(const TerminusLlama* engine);  // host
  // [slots]: each slot's last token, which forward reads and a sampler writes.
  int32_t* (*last_tokens)(const TerminusLlama* engine);
  // cudaStream_t that all work is given to.
  void* (*stream)(const TerminusLlama* engine);
};

const TerminusLlamaApi* terminus_llama_api();
}
