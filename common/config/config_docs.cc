// Writes or checks docs/configuration.md.
//
// usage: config_docs --write FILE | --check FILE

#include <cstdio>
#include <string>

#include "common/base/file.h"
#include "common/config/key.h"

namespace {

constexpr char kIntroduction[] =
    "# Configuration\n"
    "\n"
    "Every process reads the same YAML file, `--config terminus.yaml`; each takes the part it "
    "needs.\n"
    "A key is overridden on the command line by `--set KEY=VALUE`, such as\n"
    "`--set router.batching.text.max_batch_items=1`, as often as you like. An unknown key is an\n"
    "error that names the nearest known one.\n"
    "\n"
    "Keys that end in `_ms` are milliseconds. The dots are YAML nesting:\n"
    "\n"
    "```yaml\n"
    "router:\n"
    "  batching:\n"
    "    text:\n"
    "      max_batch_items: 64\n"
    "text:\n"
    "  threads: 2\n"
    "```\n"
    "\n"
    "## Batching\n"
    "\n"
    "The router keeps one queue for each modality. A batch closes as soon as a replica has\n"
    "nothing to do, so no request ever waits then; under load requests gather while replicas\n"
    "are busy, up to `max_batch_items` and `max_batch_cost`. A busy replica that takes up to\n"
    "`max_in_flight` batches is sent the next one ahead, to have it ready in time: when it is\n"
    "full, or when its oldest request has waited for a quarter of a batch's time.\n"
    "\n"
    "Cost is what the model really works on: tokens for text, patches for images, frames for\n"
    "videos. Larger limits give more throughput and longer waits at the tail;\n"
    "`max_batch_items: 1` turns batching off. `terminus status` and `Cluster.ExplainBatching`\n"
    "show what the queues do.\n"
    "\n"
    "## All keys\n"
    "\n"
    "Made from the table in `common/config/key.cc` by `config_docs --write "
    "docs/configuration.md`.\n"
    "\n";

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: config_docs --write FILE | --check FILE\n");
    return 2;
  }
  const std::string expected = kIntroduction + terminus::config::DocumentKeys();
  if (std::string(argv[1]) == "--write") {
    const absl::Status status = terminus::base::WriteFileAtomic(argv[2], expected);
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return status.ok() ? 0 : 1;
  }
  const auto actual = terminus::base::ReadFile(argv[2], 1 << 20);
  if (!actual.ok() || *actual != expected) {
    std::fprintf(stderr, "%s is out of date: run config_docs --write %s\n", argv[2], argv[2]);
    return 1;
  }
  return 0;
}
