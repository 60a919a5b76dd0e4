#pragma once

#include <cstdint>

#include "models/cuda/sampling/sampling_api.h"

// The decoder engine of libterminus_cuda.so, as plain C: a table of functions that the loader asks
// for by one name. Pointers are device pointers unless they say host; matrices are bfloat16,
// row-major, and must be 16-byte aligned.
extern "C" {

// Raised with every change of the table; the loader refuses another version.
#define TERMINUS_LLAMA_API_VERSION 2

// Bytes that stay free for CUDA graphs where the engine sizes its cache itself.
#define TERMINUS_LLAMA_GRAPH_BYTES (INT64_C(1) << 30)

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
  int32_t slots;          // Sequences whose sampling state is kept.
  int32_t max_sequences;  // Sequences in a step at most, and rows of logits; at most `slots`.
  int32_t max_tokens;     // Tokens in a step at most, at least `max_sequences`.
  // Blocks of 16 tokens. 0: as many as fit into `memory_share` of the device's memory, all else
  // that is there counted.
  int32_t kv_blocks;
  float memory_share;
  // For tests: what no step has written is filled with numbers that must not count.
  int32_t poison;
  // host: where choices of products are kept between loads; null: nowhere.
  const char* tuning_directory;
};

// Tokens that get embeddings of their own: float32 [rows, hidden].
struct TerminusLlamaSoft {
  int32_t first_token;
  int32_t rows;
  const float* values;
};

// One forward pass, in host memory that the call only reads. As models/decoder/step_runner.h says
// of ForwardInput; the caller has checked it.
struct TerminusLlamaStep {
  int32_t tokens;
  int32_t sequences;
  int32_t logits_count;  // At most the limits' max_sequences.
  int32_t soft_count;
  const int32_t* token_ids;     // [tokens]; -1: the slot's last token.
  const int32_t* query_indptr;  // [sequences + 1]
  const int32_t* slots;         // [sequences]
  const int32_t* kv_indptr;     // [sequences + 1]
  const int32_t* kv_indices;
  const int32_t* last_page_len;   // [sequences]
  const int32_t* logits_tokens;   // [logits_count]: tokens of the step.
  const TerminusLlamaSoft* soft;  // [soft_count]
};

// What was sampled in a step, in host memory that is valid until the next but one forward.
struct TerminusLlamaResults {
  int32_t count;
  const TerminusSamplingResult* results;  // [count], in the order of the rows of all calls.
  const TerminusTopLogprob* top;          // [count, TERMINUS_MAX_TOP_LOGPROBS]
  // 1: the device had ended the step before when this one was given to it.
  int32_t late;
};

typedef struct TerminusLlama TerminusLlama;

// What `create` took.
struct TerminusLlamaMemory {
  int64_t kv_cache_bytes;
  int64_t workspace_bytes;
  int32_t kv_blocks;
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
  // wait.
  int (*forward)(TerminusLlama* engine, const TerminusLlamaStep* step, char* error, uint64_t size);
  // Binds a sequence to a slot; see models/cuda/sampling/device_sampler.h.
  int (*open_slot)(TerminusLlama* engine, int32_t slot,
                   const terminus::models::sampling::SlotSampling* sampling,
                   const terminus::models::sampling::TokenRule* rules, const int32_t* tokens,
                   int32_t token_count, char* error, uint64_t size);
  // Samples rows of the last forward; `row` of each is an index of its logits_tokens, and `mask`
  // one of `masks`, host [mask_count, (vocab_size + 31) / 32].
  int (*sample)(TerminusLlama* engine, const TerminusSamplingRow* rows, int32_t count,
                const uint32_t* masks, int32_t mask_count, char* error, uint64_t size);
  // Ends the step's work.
  int (*end_step)(TerminusLlama* engine, char* error, uint64_t size);
  // Waits for the oldest step that was ended and not waited for.
  int (*wait)(TerminusLlama* engine, TerminusLlamaResults* results, char* error, uint64_t size);

  // For rows that are sampled on the host. Copies a row of the last forward's logits, float32
  // [vocab], to the host, and waits for it; sets a slot's last token.
  int (*copy_logits)(TerminusLlama* engine, int32_t row, float* logits, char* error, uint64_t size);
  int (*set_token)(TerminusLlama* engine, int32_t slot, int32_t token, char* error, uint64_t size);
};

const TerminusLlamaApi* terminus_llama_api();
}
