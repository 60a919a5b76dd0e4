"""One peer of our language model on the CPU: continues the common prompts when told to.

    decoders.py --engine llama.cpp|transformers|transformers-float32 --bundle FOLDER --inputs FOLDER --threads N

Speaks the line protocol of bench/decode_bench: prints "ready NAME VERSION" once; then reads
    run BATCH TOKENS LIMIT → "ran DECODED SECONDS PROMPT SECONDS"
    tokens BATCH TOKENS    → "made ID ...": TOKENS of the first prompt, then of the next, ...
    outputs BATCH FILE     → "wrote ROWS COLUMNS": float32 logits of the first new tokens
until its input ends.
"""

import argparse
import json
import os
import sys
import time

CONTEXT = 256


class Transformers:
    """Eager PyTorch with SDPA attention and a cache; the loop is ours, without what generate() adds."""

    def __init__(self, folder, threads, dtype):
        import torch
        import transformers
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.torch = torch
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), attn_implementation="sdpa").eval()
        self.cache_class = transformers.DynamicCache
        self.version = transformers.__version__

    def start(self):
        self.cache = self.cache_class()

    def step(self, tokens, start):
        out = self.model(input_ids=self.torch.tensor(tokens), past_key_values=self.cache, use_cache=True,
                         logits_to_keep=1)
        return out.logits[:, -1].float().numpy()


class LlamaCpp:
    def __init__(self, folder, threads, sequences):
        import xllamacpp

        import llama_cpp
        with open(os.path.join(folder, "config.json")) as file:
            vocab_size = json.load(file)["vocab_size"]
        self.model = llama_cpp.LlamaCpp(llama_cpp.exported(folder), vocab_size, threads, sequences, CONTEXT)
        self.version = xllamacpp.__version__

    def start(self):
        self.model.clear()

    def step(self, tokens, start):
        return self.model.step(tokens, start)


def run(engine, prompts, tokens, limit_s):
    engine.start()
    start = time.perf_counter()
    new = engine.step(prompts, 0).argmax(-1).tolist()
    first = time.perf_counter()
    made = 1
    while made < tokens and time.perf_counter() - first < limit_s:
        new = engine.step([[token] for token in new], len(prompts[0]) + made - 1).argmax(-1).tolist()
        made += 1
    end = time.perf_counter()
    return f"ran {len(prompts) * (made - 1)} {end - first} {len(prompts) * len(prompts[0])} {first - start}"


def tokens(engine, prompts, count):
    engine.start()
    made = [engine.step(prompts, 0).argmax(-1).tolist()]
    for i in range(1, count):
        made.append(engine.step([[token] for token in made[-1]], len(prompts[0]) + i - 1).argmax(-1).tolist())
    return " ".join(["made", *(str(token) for row in zip(*made) for token in row)])


def outputs(engine, prompts, path):
    engine.start()
    logits = engine.step(prompts, 0)
    logits.astype("<f4").tofile(path)
    return f"wrote {logits.shape[0]} {logits.shape[1]}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--engine", required=True, choices=["llama.cpp", "transformers", "transformers-float32"])
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--inputs", required=True)
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    with open(os.path.join(args.inputs, "inputs.json")) as file:
        prompts = json.load(file)["prompts"]
    folder = os.path.join(args.bundle, "decoder")
    if args.engine == "llama.cpp":
        engine = LlamaCpp(folder, args.threads, len(prompts))
    else:
        engine = Transformers(folder, args.threads, "float32" if args.engine.endswith("float32") else "bfloat16")
    print("ready", args.engine, engine.version, flush=True)
    for line in sys.stdin:
        command, batch, *arguments = line.split()
        chosen = prompts[: int(batch)]
        if command == "run":
            answer = run(engine, chosen, int(arguments[0]), float(arguments[1]))
        elif command == "tokens":
            answer = tokens(engine, chosen, int(arguments[0]))
        else:
            answer = outputs(engine, chosen, arguments[0])
        print(answer, flush=True)


if __name__ == "__main__":
    main()
