"""A peer of bench/load_bench: transformers loads a causal language model onto the first GPU, once.

    load_transformers.py --folder FOLDER [--logits FILE]

Prints one line of JSON: seconds of from_pretrained, until the GPU is done, with the model's code imported and CUDA
initialised before; host memory in MiB, anonymous and shared, before and at most meanwhile; how it was loaded. FILE
gets the float32 logits behind the tokens 1, 2, 3.
"""

import argparse
import importlib.util
import json
import threading
import time

import torch
import transformers
from transformers.models.llama import modeling_llama  # noqa: F401  What from_pretrained would import in its time.


def host_mib():
    """RssAnon + RssShmem."""
    with open("/proc/self/status") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(("RssAnon:", "RssShmem:"))) / 1024


class MemoryWatch:
    """The most host memory while it is entered."""

    def __enter__(self):
        self.most = host_mib()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self.most = max(self.most, host_mib())

    def _watch(self):
        while not self._stop.wait(0.02):
            self.most = max(self.most, host_mib())


def load(folder):
    """The model on the GPU, and how: right there where accelerate is installed, which it takes, else by way of the
    host."""
    if importlib.util.find_spec("accelerate"):
        return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16,
                                                                 device_map="cuda:0"), "device_map"
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).to("cuda:0"), "to"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--logits")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    transformers.utils.logging.disable_progress_bar()
    torch.zeros(1, device="cuda:0").cpu()
    idle = host_mib()
    with MemoryWatch() as memory:
        start = time.perf_counter()
        model, how = load(args.folder)
        torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    if args.logits:
        model.eval()(torch.tensor([[1, 2, 3]], device="cuda:0")).logits[0, -1].float().cpu().numpy().tofile(args.logits)
    print(json.dumps({"seconds": seconds, "idle_mib": idle, "peak_mib": memory.most, "how": how,
                      "version": transformers.__version__}), flush=True)


if __name__ == "__main__":
    main()
