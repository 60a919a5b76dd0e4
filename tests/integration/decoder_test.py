"""Generation, scores and actions through a real cluster: what comes back, and what is refused."""

import collections
import json
import pathlib
import subprocess
import unittest

import grpc
import jsonschema

from cluster import BUILD, Cluster, details_of
from google.rpc import code_pb2
from terminus.v1 import (action_pb2, action_pb2_grpc, cluster_pb2, content_pb2, generation_pb2, generation_pb2_grpc,
                         retrieval_pb2, retrieval_pb2_grpc)

CLIPS = pathlib.Path(__file__).parents[1] / "golden" / "media" / "video"
EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"
GOLDEN = pathlib.Path(__file__).parents[1] / "golden" / "media"


def prompt(text, role=generation_pb2.ROLE_USER, **sampling):
    request = generation_pb2.GenerateRequest(sampling=generation_pb2.SamplingParameters(**sampling))
    request.messages.add(role=role).parts.add(text=text)
    return request


def text(value):
    return content_pb2.Content(text=value)


class DecoderTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        channel = cls.cluster.channel
        cls.generation = generation_pb2_grpc.GenerationStub(channel)
        cls.retrieval = retrieval_pb2_grpc.RetrievalStub(channel)
        cls.action = action_pb2_grpc.ActionStub(channel)

    @classmethod
    def tearDownClass(cls):
        cls.cluster.close()

    def generate(self, request):
        """Returns (text, finish reason, usage)."""
        words, reason, usage = "", None, None
        for message in self.generation.Generate(request, timeout=60):
            self.assertIsNone(usage, "something came behind the usage")
            if message.HasField("usage"):
                usage = message.usage
            else:
                words += message.delta.text
                reason = message.delta.finish_reason or reason
        return words, reason, usage

    def assert_refused(self, call, field, *words, code=grpc.StatusCode.INVALID_ARGUMENT):
        with self.assertRaises(grpc.RpcError) as raised:
            call()
        self.assertEqual(code, raised.exception.code(), raised.exception.details())
        for word in words:
            self.assertIn(word, raised.exception.details())
        if field:
            violations = details_of(raised.exception)["BadRequest"].field_violations
            self.assertEqual(field, violations[0].field)

    # --- Generation.

    def test_a_greedy_answer_and_its_usage(self):
        words, reason, usage = self.generate(prompt("What is the capital of France? Answer in one sentence.",
                                                    temperature=0, max_tokens=40))
        self.assertIn("Paris", words)
        self.assertEqual(generation_pb2.FINISH_REASON_STOP, reason)
        self.assertGreater(usage.prompt_tokens, 10)
        self.assertGreater(usage.generated_tokens, 3)

    def test_max_tokens_end_it(self):
        _, reason, usage = self.generate(prompt("Tell me a story.", temperature=0, max_tokens=7))
        self.assertEqual(generation_pb2.FINISH_REASON_LENGTH, reason)
        self.assertEqual(7, usage.generated_tokens)

    def test_equal_seeds_give_equal_answers_alone_and_beside_others(self):
        request = prompt("Invent a name for a cat.", temperature=0.9, seed=7, max_tokens=16)
        alone = self.generate(request)[0]
        self.assertEqual(alone, self.generate(request)[0])
        others = [self.generation.Generate(prompt(f"Count to {i}.", max_tokens=24), timeout=60) for i in range(3)]
        self.assertEqual(alone, self.generate(request)[0])
        for other in others:
            for _ in other:
                pass
        different = {self.generate(prompt("Invent a name for a cat.", temperature=0.9, seed=s, max_tokens=16))[0]
                     for s in range(4)}
        self.assertGreater(len(different), 1)

    def test_stop_strings_are_never_shown(self):
        words, reason, _ = self.generate(prompt("What is the capital of France? Answer in one sentence.",
                                                temperature=0, max_tokens=40, stop=["Par"]))
        self.assertEqual("The capital of France is ", words)
        self.assertEqual(generation_pb2.FINISH_REASON_STOP, reason)

    def test_logprobs(self):
        request = prompt("Say yes.", temperature=0, max_tokens=3, top_logprobs=2)
        logprobs = [l for m in self.generation.Generate(request, timeout=60) for l in m.delta.logprobs]
        self.assertEqual(3, len(logprobs))
        for one in logprobs:
            self.assertEqual(2, len(one.top))
            self.assertLessEqual(one.chosen.logprob, 0)
            # Greedy: the likeliest was taken.
            self.assertEqual(one.top[0].token_id, one.chosen.token_id)

    SCHEMA = json.dumps({
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "people": {"type": "integer", "minimum": 0,
                                                                               "maximum": 99999999}},
        "required": ["city", "people"]})

    def test_answers_are_as_a_schema_says(self):
        request = prompt("Name a city and how many people live there, as JSON.", temperature=0.8, seed=1, choices=3,
                         max_tokens=120)
        request.json_schema = self.SCHEMA
        words, reasons = collections.defaultdict(str), {}
        for message in self.generation.Generate(request, timeout=60):
            words[message.delta.choice] += message.delta.text
            reasons[message.delta.choice] = message.delta.finish_reason or reasons.get(message.delta.choice)
        ended = [json.loads(words[choice]) for choice in range(3)
                 if reasons[choice] == generation_pb2.FINISH_REASON_STOP]
        self.assertTrue(ended, words)
        for value in ended:
            self.assertEqual({"city", "people"}, set(value))
            self.assertIsInstance(value["city"], str)
            self.assertIsInstance(value["people"], int)

    # The example of docs/generation.md.
    def test_the_command_keeps_answers_to_a_schema(self):
        schema = EXAMPLES / "formats" / "person.json"
        done = subprocess.run([BUILD / "bin" / "terminus", "--address", self.cluster.address, "--json", "generate",
                               "Invent a person.", "--json-schema", schema, "--max-tokens", "200"],
                              capture_output=True, timeout=120, check=True)
        answer = json.loads(done.stdout)
        self.assertEqual("stop", answer["finish_reason"], answer)
        jsonschema.validate(json.loads(answer["text"]), json.loads(schema.read_text()))

    def test_answers_match_a_regular_expression(self):
        request = prompt("Is Paris in France?", temperature=0, max_tokens=20)
        request.regex = "(Yes|No), [a-z ]{3,20}\\."
        words, reason, _ = self.generate(request)
        self.assertEqual(generation_pb2.FINISH_REASON_STOP, reason)
        self.assertRegex(words, f"^{request.regex}$")

    def test_output_formats_that_cannot_be_compiled_are_named(self):
        for field, value, word in [("json_schema", "{", "not JSON"), ("json_schema", "[" * 1000, "deep"),
                                   ("json_schema", '{"not": {}}', '"not"'), ("regex", "(", "parenthesis"),
                                   ("regex", "a" * (1 << 20), "65536"), ("json_object", False, "false")]:
            with self.subTest(field=field, word=word):
                request = prompt("hi")
                setattr(request, field, value)
                self.assert_refused(lambda: list(self.generation.Generate(request, timeout=20)), field, word)

    def test_biases_and_least_lengths(self):
        yes = self.generation.Tokenize(generation_pb2.TokenizeRequest(text="Yes"), timeout=10).token_ids[0]
        request = prompt("Is Paris in Germany?", temperature=0, max_tokens=1)
        request.sampling.logit_bias.add(token_id=yes, bias=100)
        self.assertEqual("Yes", self.generate(request)[0])
        request = prompt("Say yes.", temperature=0, min_tokens=30, max_tokens=40)
        self.assertGreaterEqual(self.generate(request)[2].generated_tokens, 30)
        request = prompt("Say yes.", temperature=0, ignore_eos=True, max_tokens=40)
        self.assertEqual(40, self.generate(request)[2].generated_tokens)

    def test_tokens_and_back(self):
        ids = self.generation.Tokenize(generation_pb2.TokenizeRequest(text="naïve 日本 😀"), timeout=10).token_ids
        back = self.generation.Detokenize(generation_pb2.DetokenizeRequest(token_ids=ids), timeout=10)
        self.assertEqual("naïve 日本 😀", back.text)

    def test_bad_sampling_is_refused_by_name(self):
        for field, values in {"temperature": dict(temperature=-0.5), "top_p": dict(top_p=2),
                              "min_p": dict(min_p=-1), "repetition_penalty": dict(repetition_penalty=0),
                              "frequency_penalty": dict(frequency_penalty=3),
                              "presence_penalty": dict(presence_penalty=float("nan")),
                              "stop_token_ids[0]": dict(stop_token_ids=[1 << 30]),
                              "min_tokens": dict(min_tokens=5, max_tokens=4),
                              "stop": dict(stop=["x"] * 10_000), "max_tokens": dict(max_tokens=0),
                              "choices": dict(choices=100), "top_logprobs": dict(top_logprobs=1000)}.items():
            with self.subTest(field):
                self.assert_refused(lambda: list(self.generation.Generate(prompt("hi", **values), timeout=10)),
                                    f"sampling.{field}")

    def test_a_prompt_beyond_the_context_is_refused_with_both_numbers(self):
        model = self.cluster.cluster.ListModels(cluster_pb2.ListModelsRequest(), timeout=5).models[0]
        self.assertTrue(model.generates)
        long = prompt("word " * (model.max_context + 10))
        self.assert_refused(lambda: list(self.generation.Generate(long, timeout=30)), "messages",
                            str(model.max_context))

    def test_bad_messages(self):
        self.assert_refused(lambda: list(self.generation.Generate(generation_pb2.GenerateRequest(), timeout=10)),
                            "messages")
        image = prompt("hi")
        image.messages[0].parts.add(image=b"x")
        self.assert_refused(lambda: list(self.generation.Generate(image, timeout=10)), "messages[0].parts[1]", "text")
        self.assert_refused(lambda: list(self.generation.Generate(prompt("hi", role=0), timeout=10)),
                            "messages[0].role")
        unknown = generation_pb2.GenerateRequest(model="nonesuch")
        self.assert_refused(lambda: list(self.generation.Generate(unknown, timeout=10)), None, "nonesuch",
                            code=grpc.StatusCode.NOT_FOUND)

    # --- Scores.

    def test_scores_of_all_three_kinds(self):
        photo = (GOLDEN / "grey.png").read_bytes()
        clip = content_pb2.Content(video=content_pb2.Video(data=(CLIPS / "h264.mp4").read_bytes()))
        response = self.retrieval.Score(retrieval_pb2.ScoreRequest(
            query=text("a cat"), candidates=[text("stock market news"), text("a kitten"),
                                             content_pb2.Content(image=photo), clip, content_pb2.Content(image=b"")]),
            timeout=60)
        self.assertEqual([0, 1, 2, 3, 4], [score.index for score in response.scores])
        self.assertGreater(response.scores[1].score, response.scores[0].score)
        self.assertEqual(response.scores[1].cosine, response.scores[1].score)
        self.assertEqual(code_pb2.INVALID_ARGUMENT, response.scores[4].status.code)
        self.assertEqual({0, 1, 2, 3}, set(response.ranking))
        ranked = [response.scores[place].score for place in response.ranking]
        self.assertEqual(sorted(ranked, reverse=True), ranked)
        self.assertEqual(5, len(response.content_hashes))

    def test_no_candidates(self):
        self.assert_refused(lambda: self.retrieval.Score(retrieval_pb2.ScoreRequest(query=text("a")), timeout=10),
                            "candidates")
        many = retrieval_pb2.ScoreRequest(query=text("a"), candidates=[text("b")] * 257)
        self.assert_refused(lambda: self.retrieval.Score(many, timeout=10), "candidates", "257", "256")

    def test_a_bad_query_fails_the_call(self):
        request = retrieval_pb2.ScoreRequest(query=text("x" * ((1 << 20) + 1)), candidates=[text("b")])
        self.assert_refused(lambda: self.retrieval.Score(request, timeout=10), "query.text")

    # --- Actions.

    def recognize(self, clip="h264.mp4", labels=("a", "b"), **video):
        data = (CLIPS / clip).read_bytes()
        return self.action.Recognize(action_pb2.RecognizeRequest(
            video=content_pb2.Video(data=data, **video), labels=labels), timeout=60)

    def test_labels_with_scores_and_spans(self):
        response = self.recognize(labels=["a test pattern", "a cat", "a dog"])
        self.assertEqual({"a test pattern", "a cat", "a dog"}, {action.label for action in response.actions})
        scores = [action.score for action in response.actions]
        self.assertEqual(sorted(scores, reverse=True), scores)
        self.assertAlmostEqual(1, sum(scores), places=4)
        self.assertGreater(response.frames, 1)
        for action in response.actions:
            self.assertLessEqual(action.start_us, action.end_us)

    def test_bad_labels(self):
        self.assert_refused(lambda: self.recognize(labels=["a", "b", "a"]), "labels[2]", "labels[0]")
        self.assert_refused(lambda: self.recognize(labels=["a", ""]), "labels[1]")
        self.assert_refused(lambda: self.recognize(labels=[f"label {i}" for i in range(1001)]), "labels", "1000")

    def test_bad_videos(self):
        self.assert_refused(lambda: self.recognize("sound.mp4"), "video")
        self.assert_refused(lambda: self.recognize(start_us=10_000_000_000), None)
        self.assert_refused(lambda: self.action.Recognize(action_pb2.RecognizeRequest(labels=["a"]), timeout=10),
                            "video")


if __name__ == "__main__":
    unittest.main()
