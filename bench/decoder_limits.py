"""The table of docs/benchmarks.md that holds the decoder's figures against what the GPU can do at best."""

import dataclasses
import re

import llama_8b

STEP_CONTEXT = 512
SERVE_PROMPT, SERVE_TOKENS = 256, 128


@dataclasses.dataclass
class Limit:
    """The best value that a GPU allows, with words for what it moves or computes and for what bounds it."""

    value: float
    work: str
    bound: str


def _of_step(work, gpu):
    parts = [f"{work.weight_bytes / 1e9:.1f} GB of weights"]
    if work.kv_bytes:
        parts.append(f"{work.kv_bytes / 1e9:.2g} GB of keys and values")
    parts.append(f"{work.operations / 1e12:.3g} TFLOP")
    return Limit(work.seconds(gpu) * 1e3, ", ".join(parts), work.bound(gpu))


def limit_of(name, gpu):
    """Limit of the figure of that name, in its unit; None for figures that have none."""
    if match := re.fullmatch(r"gpu\.8b\.decode_ms\.b(\d+)", name):
        return _of_step(llama_8b.decode(int(match[1]), STEP_CONTEXT), gpu)
    if match := re.fullmatch(r"gpu\.8b\.ttft_ms\.(\d+)", name):
        return _of_step(llama_8b.prefill(1, int(match[1])), gpu)
    if match := re.fullmatch(r"gpu\.8b\.ttft_beside_(\d+)_ms\.(\d+)", name):
        return _of_step(llama_8b.prefill_beside(int(match[2]), int(match[1]), STEP_CONTEXT), gpu)
    if name == "gpu.8b.prefill_tflops":
        work = llama_8b.prefill(1, 4096)
        return Limit(gpu.operations_per_s / 1e12, f"{work.operations / 1e12:.3g} TFLOP", work.bound(gpu))
    if match := re.fullmatch(r"gpu\.8b\.serve_tokens_per_s\.(\d+)", name):
        count = int(match[1])
        seconds = llama_8b.serve_seconds(gpu, count, SERVE_PROMPT, SERVE_TOKENS)
        prefill = llama_8b.prefill(count, SERVE_PROMPT).seconds(gpu)
        return Limit(count * SERVE_TOKENS / seconds, f"prefill for {prefill:.2f} s, {SERVE_TOKENS - 1} steps for "
                     f"{seconds - prefill:.2f} s", "prefill: arithmetic; steps: "
                     + llama_8b.decode(count, SERVE_PROMPT + SERVE_TOKENS // 2).bound(gpu))
    return None


def markdown(records):
    """A table for each device whose limits are known."""
    parts = []
    for device, gpu in llama_8b.GPUS.items():
        rows = ["| figure | must move or compute | bound by | limit | ours | of the limit |",
                "|---|---|---|---|---|---|"]
        for name, value, unit in _newest(records, device):
            if (limit := limit_of(name, gpu)) is not None:
                share = value / limit.value if unit.endswith("/s") else limit.value / value
                rows.append(f"| `{name}` | {limit.work} | {limit.bound} | {_number(limit.value)} {unit} | "
                            f"{_number(value)} | {share:.0%} |")
        parts.append(f"**{device}** (reads {gpu.bytes_per_s / 1e12:.2f} TB/s, computes "
                     f"{gpu.operations_per_s / 1e12:.0f} TFLOP/s)\n\n" + "\n".join(rows))
    return "\n\n".join(parts)


def _number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _newest(records, device):
    """(name, value, unit) of each figure: of those beside several peers, the one that was measured last."""
    newest = {}
    for record in records:
        if record["device"] == device:
            held = newest.get(record["name"])
            if held is None or record["date"] >= held["date"]:
                newest[record["name"]] = record
    return [(name, record["value"], record["unit"]) for name, record in newest.items()]
