"""Tests of what Llama 3.1 8B's shape must move and compute, and of the table made from it."""

import unittest

import decoder_limits
import llama_8b

H200 = llama_8b.GPUS["NVIDIA H200"]


def record(name, value, unit, **more):
    return {"name": name, "value": value, "unit": unit, "device": "NVIDIA H200", "date": "2025-01-01", **more}


class WorkTest(unittest.TestCase):
    def test_sizes_of_the_shape(self):
        # Published: 8.03 billion parameters, of which the embedding table is not read.
        self.assertEqual(llama_8b.LAYER_WEIGHTS + 2 * llama_8b.HEAD_WEIGHTS, 8_029_995_008)
        self.assertEqual(llama_8b.KV_BYTES, 128 << 10)

    def test_a_small_batch_reads_weights_a_large_one_computes(self):
        one, many = llama_8b.decode(1, 512), llama_8b.decode(256, 512)
        self.assertEqual(one.bound(H200), "reading weights")
        self.assertAlmostEqual(one.seconds(H200) * 1e3, 3.44, 2)
        self.assertEqual(many.bound(H200), "arithmetic")
        self.assertAlmostEqual(many.seconds(H200) * 1e3, 4.86 + 3.92, 2)

    def test_long_contexts_are_bound_by_keys_and_values(self):
        self.assertEqual(llama_8b.decode(64, 8192).bound(H200), "reading keys and values")

    def test_serving_is_prefill_and_then_steps(self):
        steps = sum(llama_8b.decode(2, 256 + made).seconds(H200) for made in (1, 2))
        self.assertAlmostEqual(llama_8b.serve_seconds(H200, 2, 256, 3),
                               llama_8b.prefill(2, 256).seconds(H200) + steps, 9)


class TableTest(unittest.TestCase):
    def test_times_and_rates_are_shares_of_their_limits(self):
        text = decoder_limits.markdown([record("gpu.8b.decode_ms.b1", 6.876, "ms/step"),
                                        record("gpu.8b.prefill_tflops", 395, "TFLOP/s")])
        self.assertIn("| reading weights | 3.44 ms/step | 6.88 | 50% |", text)
        self.assertIn("| arithmetic | 790 TFLOP/s | 395 | 50% |", text)

    def test_every_compared_figure_has_a_limit(self):
        for name in ("gpu.8b.decode_ms.b8", "gpu.8b.prefill_tflops", "gpu.8b.ttft_ms.512",
                     "gpu.8b.ttft_beside_64_ms.512", "gpu.8b.serve_tokens_per_s.512"):
            self.assertGreater(decoder_limits.limit_of(name, H200).value, 0, name)

    def test_a_figure_measured_beside_another_peer_stands_once_with_its_newest_value(self):
        old = record("gpu.8b.prefill_tflops", 100, "TFLOP/s")
        new = record("gpu.8b.prefill_tflops", 200, "TFLOP/s", peer="p") | {"date": "2025-01-02"}
        for records in ([old, new], [new, old]):
            text = decoder_limits.markdown(records)
            self.assertEqual(text.count("gpu.8b.prefill_tflops"), 1)
            self.assertIn("| 200 |", text)

    def test_other_figures_and_unknown_devices_are_left_out(self):
        text = decoder_limits.markdown([record("gpu.8b.grpc_share.512", 1, "tokens/s"),
                                        record("gpu.8b.decode_ms.b1", 5, "ms/step") | {"device": "another"}])
        self.assertNotIn("gpu.8b", text)


if __name__ == "__main__":
    unittest.main()
