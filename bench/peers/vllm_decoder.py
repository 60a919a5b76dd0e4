"""A peer of bench/decoder_gpu_bench: vLLM continues random prompts on one GPU, told line by line what to run.

    vllm_decoder.py --folder FOLDER [--kv-gib 30]

FOLDER holds config.json and the weights; no tokenizer is read. Prints "ready vLLM VERSION" once; then reads
    time COUNT LENGTH TOKENS [sampled]  → "took SECONDS": COUNT new prompts of LENGTH tokens, all submitted at once,
                                          TOKENS each, until the last has ended; greedy, or with every sampling rule
    beside RUNNING LENGTH ROUNDS        → "took SECONDS ...": to the first token of a prompt of LENGTH tokens, ROUNDS
                                          times, while RUNNING sequences are decoded
    tokens COUNT ID ...                 → "made ID ...": the COUNT greedy tokens that follow the prompt of these ids
until its input ends. Everything that vLLM itself prints goes to stderr.
"""

import argparse
import os
import random
import sys
import time

MAX_CONTEXT = 8192
MAX_SEQUENCES = 512
# Of a running sequence: its prompt, what it has made before the first measurement, and what it makes at most.
RUNNING_PROMPT, RUNNING_FIRST, RUNNING_TOKENS = 431, 16, 600
RULES = {"temperature": 0.8, "top_k": 50, "top_p": 0.9, "repetition_penalty": 1.1, "frequency_penalty": 0.1,
         "presence_penalty": 0.1}


class Engine:
    """vLLM's engine in its default process of its own, driven by calls from this one."""

    def __init__(self, folder, kv_gib):
        import vllm
        from vllm.sampling_params import RequestOutputKind
        self.version = vllm.__version__
        self._parameters_class = vllm.SamplingParams
        self._each_token = {"output_kind": RequestOutputKind.DELTA}
        self._random = random.Random(1)
        self._requests = 0
        # The share of the memory is only checked against what is free: the KV cache's size is given.
        self._llm = vllm.LLM(model=folder, skip_tokenizer_init=True, dtype="bfloat16", max_model_len=MAX_CONTEXT,
                             max_num_seqs=MAX_SEQUENCES, gpu_memory_utilization=0.15,
                             kv_cache_memory_bytes=int(kv_gib * 2**30), enable_prefix_caching=False, seed=0,
                             disable_log_stats=True)

    def time(self, count, length, tokens, rules):
        """Seconds from the first submission to the last end."""
        prompts = [self._prompt(length) for _ in range(count)]
        parameters = self._parameters(tokens, **rules)
        start = time.perf_counter()
        outputs = self._llm.generate(prompts, parameters, use_tqdm=False)
        took = time.perf_counter() - start
        made = sum(len(output.outputs[0].token_ids) for output in outputs)
        if made != count * tokens:
            raise RuntimeError(f"vLLM made {made} tokens, expected {count * tokens}")
        return took

    def first_token_beside(self, running, length, rounds):
        """Seconds to the first token of one prompt, for each round, beside `running` sequences."""
        made = {self._add(self._prompt(RUNNING_PROMPT), RUNNING_TOKENS): 0 for _ in range(running)}
        while min(made.values()) < RUNNING_FIRST:
            for output in self._llm.llm_engine.step():
                made[output.request_id] += len(output.outputs[0].token_ids)
        times, ended = [], 0
        for _ in range(rounds):
            prompt = self._prompt(length)
            start = time.perf_counter()
            probe = self._add(prompt, 1)
            done = False
            while not done:
                for output in self._llm.llm_engine.step():
                    done = done or output.request_id == probe
                    ended += output.finished and output.request_id != probe
            times.append(time.perf_counter() - start)
        if ended:
            raise RuntimeError(f"{ended} of {running} running sequences ended before the last round")
        while self._llm.llm_engine.has_unfinished_requests():
            self._llm.llm_engine.step()
        return times

    def tokens(self, count, prompt):
        """Ids of the greedy answer of `count` tokens."""
        output, = self._llm.generate([{"prompt_token_ids": prompt}], self._parameters(count), use_tqdm=False)
        return output.outputs[0].token_ids

    def close(self):
        self._llm.llm_engine.engine_core.shutdown()

    def _prompt(self, length):
        # The same range of ids as bench/decoder_gpu_bench.
        return {"prompt_token_ids": [self._random.randint(10, 127999) for _ in range(length)]}

    def _parameters(self, tokens, **rules):
        return self._parameters_class(**({"temperature": 0.0} | rules), max_tokens=tokens, ignore_eos=True,
                                      detokenize=False)

    def _add(self, prompt, tokens):
        """Submits a prompt whose tokens are reported step by step; returns the id that the reports carry."""
        self._requests += 1
        request = f"beside-{self._requests}"
        self._llm.llm_engine.add_request(request, prompt, self._parameters(tokens, **self._each_token))
        return request


def answer(engine, line):
    """One line of the protocol for one command."""
    command, *fields = line.split()
    if command == "time" and len(fields) in (3, 4) and fields[3:] in ([], ["sampled"]):
        return f"took {engine.time(*map(int, fields[:3]), RULES if fields[3:] else {})}"
    if command == "beside" and len(fields) == 3:
        return " ".join(["took", *map(str, engine.first_token_beside(*map(int, fields)))])
    if command == "tokens" and len(fields) > 1:
        count, *prompt = map(int, fields)
        return " ".join(["made", *map(str, engine.tokens(count, prompt))])
    raise ValueError(f"not a command: {line.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--kv-gib", type=float, default=30)
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    # Its sampler of FlashInfer's would compile kernels first, for which there is no compiler.
    os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")
    # Answers go where stdout was; vLLM and its processes print to stderr.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    engine = Engine(args.folder, args.kv_gib)
    engine.time(4, 64, 8, {})
    print("ready", "vLLM", engine.version, file=answers)
    for line in sys.stdin:
        print(answer(engine, line), file=answers)
    engine.close()
    # Nothing is left to do, and vLLM's own handlers at exit can wait for ever.
    os._exit(0)


if __name__ == "__main__":
    main()
