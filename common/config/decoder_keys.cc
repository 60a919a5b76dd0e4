#include <algorithm>
#include <iterator>
#include <utility>

#include "common/config/key_parts.h"

namespace terminus::config {
namespace {

std::vector<Key> GridKeys() {
  return {
      {"decoder.grid.pipeline", TERMINUS_MEMBER(decoder.grid.pipeline),
       "Stages that the language model's layers are divided into, each in a process of its own.", 1,
       64},
      {"decoder.grid.tensor", TERMINUS_MEMBER(decoder.grid.tensor),
       "Processes that share the work of each stage.", 1, 64},
      {"decoder.grid.layers", TERMINUS_MEMBER(decoder.grid.layers),
       "Layers of each stage, such as 17/15. Empty: by cost."},
      {"decoder.grid.rendezvous", TERMINUS_MEMBER(decoder.grid.rendezvous),
       "Where the ranks find the front: host:port, or unix:/path. The ranks meet each other at the "
       "next port, or at /path.ranks. Empty: the front starts the ranks itself, on this machine."},
      {"decoder.grid.secret_file", TERMINUS_MEMBER(decoder.grid.secret_file),
       "File with the secret that the front and its ranks share. Needed where rendezvous is set."},
      {"decoder.grid.rank", TERMINUS_MEMBER(decoder.grid.rank),
       "The rank that this process is, from 0 on. -1: it is the front.", -1, 4095},
      {"decoder.grid.join_ms", TERMINUS_MEMBER(decoder.grid.join_timeout),
       "How long the front waits for its ranks, and a rank for the others.", 1, kHourMs},
      {"decoder.grid.load_ms", TERMINUS_MEMBER(decoder.grid.load_timeout),
       "How long the ranks may take to load the model.", 1, kHourMs},
  };
}

std::vector<Key> GrammarKeys() {
  return {
      {"decoder.grammar.source_bytes", TERMINUS_MEMBER(decoder.grammar.source_bytes),
       "Longest JSON schema or regular expression of a request.", 1, 64 << 20},
      {"decoder.grammar.compile_ms", TERMINUS_MEMBER(decoder.grammar.compile_time),
       "Processor time to compile one.", 1, kHourMs},
      {"decoder.grammar.compile_bytes", TERMINUS_MEMBER(decoder.grammar.compile_bytes),
       "Memory while one is compiled.", 1 << 20},
      {"decoder.grammar.compile_threads", TERMINUS_MEMBER(decoder.grammar.compile_threads),
       "Threads that compile.", 1, 64},
      {"decoder.grammar.max_waiting", TERMINUS_MEMBER(decoder.grammar.max_waiting),
       "Formats that wait for such a thread. One more is answered RESOURCE_EXHAUSTED.", 1, 65536},
      {"decoder.grammar.cache_bytes", TERMINUS_MEMBER(decoder.grammar.cache_bytes),
       "Memory of compiled formats that are kept, those used last first. 0: none are.", 0},
      {"decoder.grammar.token_ms", TERMINUS_MEMBER(decoder.grammar.token_time),
       "Processor time for each token of an answer that is kept to a format. The other answers of "
       "the step wait for as long; one that needs more ends.",
       1, kHourMs},
      {"decoder.grammar.answer_bytes", TERMINUS_MEMBER(decoder.grammar.answer_bytes),
       "Memory for the state of one such answer, which grows with its length.", 1 << 20},
      {"decoder.grammar.mask_threads", TERMINUS_MEMBER(decoder.grammar.mask_threads),
       "Threads that find the tokens that such answers may go on with. 0: half of the cores, 2 to "
       "16.",
       0, 256},
  };
}

}  // namespace

Key ModelLoadingKey(const std::string& service, Member member, const std::string& what) {
  return {.path = service + ".model_loading",
          .member = member,
          .help = what +
                  ": on, off, or auto, which is on where listen holds Unix sockets and "
                  "loopback addresses only.",
          .choices = {"auto", "on", "off"}};
}

std::vector<Key> DecoderKeys() {
  std::vector<Key> keys = {
      {.path = "decoder.listen",
       .member = TERMINUS_MEMBER(decoder.listen),
       .help = "Addresses, each unix:/path or host:port.",
       .form = Key::Form::kAddress},
      {.path = "decoder.metrics",
       .member = TERMINUS_MEMBER(decoder.metrics),
       .help = "host:port of the Prometheus endpoint; port 0: a free one.",
       .form = Key::Form::kHostPort},
      {.path = "decoder.device",
       .member = TERMINUS_MEMBER(decoder.device),
       .help = "cpu, cuda:N, or auto.",
       .form = Key::Form::kDevice},
      {"decoder.threads", TERMINUS_MEMBER(decoder.threads), "Compute threads. 0: all cores.", 0,
       1024},
      {"decoder.max_sequences", TERMINUS_MEMBER(decoder.max_sequences),
       "Sequences decoded together; more wait in order of arrival. 0: 8 on a CPU, 512 on a GPU.", 0,
       1024},
      {"decoder.max_requests", TERMINUS_MEMBER(decoder.max_requests),
       "Generate calls inside, those that wait included. One more is refused. 0: twice "
       "max_sequences, at least 256.",
       0, 65536},
      {"decoder.token_budget", TERMINUS_MEMBER(decoder.token_budget),
       "Tokens of one step, prompts' and decoded ones together; long prompts are computed in "
       "chunks "
       "of what decoding leaves. 0: 128 on a CPU, 8192 on a GPU. At least max_sequences are taken.",
       0, 65536},
      {"decoder.kv_bytes", TERMINUS_MEMBER(decoder.kv_bytes),
       "Memory for keys and values. If it does not hold the model's whole context, the context is "
       "as long as what it holds. 0: 512 MiB on a CPU; on a GPU what is left of nine tenths of its "
       "memory, so that no second model can be loaded beside it.",
       0},
      {"decoder.tuning_directory", TERMINUS_MEMBER(decoder.tuning_directory),
       "Folder where it is kept which way of computing each product is the fastest on this GPU, so "
       "that the next load need not try them and computes the same bits; replicas that share it "
       "are "
       "alike. Empty: tuning in TERMINUS_HOME (by default ~/.cache/terminus)."},
      {"decoder.max_message_bytes", TERMINUS_MEMBER(decoder.max_message_bytes),
       "Largest gRPC message.", 1024, INT32_MAX},
      {"decoder.max_text_bytes", TERMINUS_MEMBER(decoder.max_text_bytes),
       "Text of one request, all messages together.", 1},
      ModelLoadingKey("decoder", TERMINUS_MEMBER(decoder.model_loading), kHostLoading),
      {"decoder.default_deadline_ms", TERMINUS_MEMBER(decoder.default_deadline),
       "Deadline of calls that bring none.", 1, 24 * kHourMs},
      {"decoder.drain_timeout_ms", TERMINUS_MEMBER(decoder.drain_timeout),
       "How long calls may go on after SIGTERM.", 0, kHourMs},
  };
  for (std::vector<Key> more : {GridKeys(), GrammarKeys()}) {
    std::move(more.begin(), more.end(), std::back_inserter(keys));
  }
  return keys;
}

}  // namespace terminus::config
