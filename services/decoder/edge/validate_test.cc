#include "services/decoder/edge/validate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "common/base/errors.h"

namespace terminus::services::decoder::edge {
namespace {

constexpr RequestLimits kLimits = {.max_text_bytes = 1000, .vocab_size = 500};

v1::DecoderGenerateRequest Good() {
  v1::DecoderGenerateRequest request;
  v1::Message* system = request.mutable_request()->add_messages();
  system->set_role(v1::ROLE_SYSTEM);
  system->add_parts()->set_text("Be kind.");
  v1::Message* user = request.mutable_request()->add_messages();
  user->set_role(v1::ROLE_USER);
  user->add_parts()->set_text("Hello, ");
  user->add_parts()->set_text("you.");
  return request;
}

absl::StatusOr<GenerateWish> Check(const v1::DecoderGenerateRequest& request) {
  models::decoder::GenerationSettings settings;
  settings.sample = true;
  settings.temperature = 0.25f;
  settings.top_k = 17;
  settings.repetition_penalty = 1.1f;
  settings.stop_strings = {"own"};
  settings.max_new_tokens = 7;
  settings.max_length = 100;
  return CheckGenerate(request, settings, 99, kLimits);
}

// Reason and field of what a change to a good request leads to.
std::pair<std::string, std::string> FaultOf(
    const std::function<void(v1::DecoderGenerateRequest&)>& change) {
  v1::DecoderGenerateRequest request = Good();
  change(request);
  const absl::Status status = Check(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return {base::Reason(status), base::Field(status)};
}

std::pair<std::string, std::string> SamplingFault(
    const std::function<void(v1::SamplingParameters&)>& change) {
  return FaultOf([&](v1::DecoderGenerateRequest& request) {
    change(*request.mutable_request()->mutable_sampling());
  });
}

std::pair<std::string, std::string> Invalid(const std::string& field) {
  return {"INVALID_REQUEST", field};
}

TEST(CheckGenerate, TakesMessagesAndDefaults) {
  const auto wish = Check(Good());
  ASSERT_TRUE(wish.ok()) << wish.status();
  ASSERT_EQ(wish->messages.size(), 2u);
  EXPECT_EQ(wish->messages[0].role, "system");
  EXPECT_EQ(wish->messages[1].role, "user");
  EXPECT_EQ(wish->messages[1].parts, (std::vector<std::string>{"Hello, ", "you."}));
  EXPECT_EQ(wish->sampling.temperature, 0.25f);
  EXPECT_EQ(wish->sampling.top_k, 17u);
  EXPECT_EQ(wish->sampling.seed, 99u);
  EXPECT_EQ(wish->sampling.top_logprobs, -1);
  EXPECT_EQ(wish->choices, 1);
  EXPECT_EQ(wish->sampling.top_p, 1);
  EXPECT_EQ(wish->sampling.min_p, 0);
  EXPECT_EQ(wish->sampling.repetition_penalty, 1.1f);
  EXPECT_EQ(wish->max_tokens, 7);
  EXPECT_EQ(wish->max_length, 0) << "max_new_tokens counts first";
  EXPECT_EQ(wish->stops, (std::vector<std::string>{"own"}));
  EXPECT_FALSE(wish->special_tokens_in_messages);
}

// What generate() does with the folder's settings, and with a temperature beside do_sample: false.
TEST(CheckGenerate, AFolderThatDoesNotSampleIsGreedyWhateverItsTemperature) {
  models::decoder::GenerationSettings settings;
  settings.temperature = 0.7f;
  settings.top_p = 0.5f;
  v1::DecoderGenerateRequest request = Good();
  auto wish = CheckGenerate(request, settings, 1, kLimits);
  ASSERT_TRUE(wish.ok()) << wish.status();
  EXPECT_EQ(wish->sampling.temperature, 0);
  EXPECT_EQ(wish->max_tokens, 0);
  request.mutable_request()->mutable_sampling()->set_top_p(0.9f);
  EXPECT_EQ(CheckGenerate(request, settings, 1, kLimits)->sampling.temperature, 0);
  request.mutable_request()->mutable_sampling()->set_temperature(0.3f);
  wish = CheckGenerate(request, settings, 1, kLimits);
  EXPECT_EQ(wish->sampling.temperature, 0.3f);
  EXPECT_EQ(wish->sampling.top_k, 50u);
  EXPECT_EQ(wish->sampling.top_p, 0.9f);
  settings.max_length = 30;
  EXPECT_EQ(CheckGenerate(request, settings, 1, kLimits)->max_length, 30);
}

TEST(CheckGenerate, TheRequestsOwnParametersComeFirst) {
  v1::DecoderGenerateRequest request = Good();
  v1::SamplingParameters& sampling = *request.mutable_request()->mutable_sampling();
  sampling.set_temperature(0);
  sampling.set_top_k(0);
  sampling.set_top_p(1);
  sampling.set_seed(0);
  sampling.set_max_tokens(4'000'000'000u);
  sampling.set_top_logprobs(0);
  sampling.set_choices(8);
  sampling.set_min_p(0.5f);
  sampling.set_repetition_penalty(1);
  request.mutable_request()->set_allow_special_tokens_in_messages(true);
  sampling.add_stop(std::string(256, 's'));
  const auto wish = Check(request);
  ASSERT_TRUE(wish.ok()) << wish.status();
  EXPECT_EQ(wish->sampling.temperature, 0);
  EXPECT_EQ(wish->sampling.top_k, 0u);
  EXPECT_EQ(wish->sampling.seed, 0u);
  EXPECT_EQ(wish->sampling.top_logprobs, 0);
  EXPECT_EQ(wish->choices, 8);
  EXPECT_EQ(wish->max_tokens, std::numeric_limits<int>::max());
  EXPECT_EQ(wish->max_length, 0);
  EXPECT_EQ(wish->sampling.min_p, 0.5f);
  EXPECT_EQ(wish->sampling.repetition_penalty, 1);
  EXPECT_TRUE(wish->special_tokens_in_messages);
  EXPECT_EQ(wish->stops, (std::vector<std::string>{std::string(256, 's')}));
}

TEST(CheckGenerate, PenaltiesBiasesAndEnds) {
  v1::DecoderGenerateRequest request = Good();
  v1::SamplingParameters& sampling = *request.mutable_request()->mutable_sampling();
  sampling.set_frequency_penalty(-2);
  sampling.set_presence_penalty(2);
  v1::LogitBias* bias = sampling.add_logit_bias();
  bias->set_token_id(499);
  bias->set_bias(-100);
  sampling.set_max_tokens(5);
  sampling.set_min_tokens(5);
  sampling.set_ignore_eos(true);
  sampling.add_stop_token_ids(0);
  sampling.add_stop_token_ids(499);
  const auto wish = Check(request);
  ASSERT_TRUE(wish.ok()) << wish.status();
  EXPECT_EQ(wish->sampling.frequency_penalty, -2);
  EXPECT_EQ(wish->sampling.presence_penalty, 2);
  ASSERT_EQ(wish->sampling.logit_bias.size(), 1u);
  EXPECT_EQ(wish->sampling.logit_bias[0], (models::sampling::LogitBias{499, -100}));
  EXPECT_EQ(wish->sampling.min_tokens, 5);
  EXPECT_TRUE(wish->ignore_eos);
  EXPECT_EQ(wish->stop_tokens, (std::vector<int32_t>{0, 499}));
  EXPECT_FALSE(wish->format.has_value());
}

TEST(CheckGenerate, OutputFormats) {
  v1::DecoderGenerateRequest request = Good();
  request.mutable_request()->set_json_schema("{}");
  EXPECT_EQ(*Check(request)->format, (grammar::Source{grammar::Source::Kind::kJsonSchema, "{}"}));
  request.mutable_request()->set_regex("a+");
  EXPECT_EQ(*Check(request)->format, (grammar::Source{grammar::Source::Kind::kRegex, "a+"}));
  request.mutable_request()->set_json_object(true);
  EXPECT_EQ(*Check(request)->format, (grammar::Source{grammar::Source::Kind::kJsonObject, ""}));
  request.mutable_request()->set_json_object(false);
  EXPECT_EQ(base::Field(Check(request).status()), "json_object");
}

TEST(CheckGenerate, FieldsThatExcludeEachOtherAreNamed) {
  using Request = v1::DecoderGenerateRequest;
  EXPECT_EQ(SamplingFault([](v1::SamplingParameters& s) {
              s.set_max_tokens(4);
              s.set_min_tokens(5);
            }),
            Invalid("sampling.min_tokens"));
  EXPECT_EQ(FaultOf([](Request& r) {
              r.mutable_request()->set_json_schema("{}");
              r.mutable_request()->mutable_sampling()->set_ignore_eos(true);
            }),
            Invalid("sampling.ignore_eos"));
  EXPECT_EQ(FaultOf([](Request& r) {
              r.mutable_request()->set_regex("a");
              r.mutable_request()->mutable_sampling()->set_min_tokens(1);
            }),
            Invalid("sampling.min_tokens"));
}

TEST(CheckGenerate, BiasesAndEndTokensAreBounded) {
  using Sampling = v1::SamplingParameters;
  const auto add = [](Sampling& s, uint32_t token, float bias) {
    s.add_logit_bias()->set_token_id(token);
    s.mutable_logit_bias(s.logit_bias_size() - 1)->set_bias(bias);
  };
  EXPECT_EQ(SamplingFault([&](Sampling& s) { add(s, 500, 1); }),
            Invalid("sampling.logit_bias[0].token_id"));
  EXPECT_EQ(SamplingFault([&](Sampling& s) {
              add(s, 3, 1);
              add(s, 4, 1);
              add(s, 3, 2);
            }),
            Invalid("sampling.logit_bias[2].token_id"));
  for (const float bias : {-100.5f, 101.0f, std::nanf(""), INFINITY}) {
    EXPECT_EQ(SamplingFault([&](Sampling& s) { add(s, 3, bias); }),
              Invalid("sampling.logit_bias[0].bias"));
  }
  EXPECT_EQ(SamplingFault([&](Sampling& s) {
              for (uint32_t i = 0; i < 301; ++i) add(s, i, 1);
            }),
            Invalid("sampling.logit_bias"));
  EXPECT_EQ(SamplingFault([](Sampling& s) { s.add_stop_token_ids(500); }),
            Invalid("sampling.stop_token_ids[0]"));
  EXPECT_EQ(SamplingFault([](Sampling& s) {
              for (uint32_t i = 0; i < 65; ++i) s.add_stop_token_ids(i);
            }),
            Invalid("sampling.stop_token_ids"));
}

TEST(CheckGenerate, SamplingOutOfBoundsIsNamed) {
  using Sampling = v1::SamplingParameters;
  for (const float temperature : {-0.1f, 10.5f, std::nanf(""), INFINITY}) {
    EXPECT_EQ(SamplingFault([&](Sampling& s) { s.set_temperature(temperature); }),
              Invalid("sampling.temperature"));
  }
  for (const float top_p : {0.0f, -1.0f, 1.01f, 2.0f, std::nanf(""), INFINITY, -INFINITY}) {
    EXPECT_EQ(SamplingFault([&](Sampling& s) { s.set_top_p(top_p); }), Invalid("sampling.top_p"));
  }
  for (const float min_p : {-0.1f, 1.1f, std::nanf(""), INFINITY, -INFINITY}) {
    EXPECT_EQ(SamplingFault([&](Sampling& s) { s.set_min_p(min_p); }), Invalid("sampling.min_p"));
  }
  for (const float penalty : {0.0f, -1.0f, 10.5f, std::nanf(""), INFINITY}) {
    EXPECT_EQ(SamplingFault([&](Sampling& s) { s.set_repetition_penalty(penalty); }),
              Invalid("sampling.repetition_penalty"));
  }
  for (const float penalty : {-2.1f, 2.1f, std::nanf(""), -INFINITY}) {
    EXPECT_EQ(SamplingFault([&](Sampling& s) { s.set_frequency_penalty(penalty); }),
              Invalid("sampling.frequency_penalty"));
    EXPECT_EQ(SamplingFault([&](Sampling& s) { s.set_presence_penalty(penalty); }),
              Invalid("sampling.presence_penalty"));
  }
  EXPECT_EQ(SamplingFault([](Sampling& s) { s.set_max_tokens(0); }),
            Invalid("sampling.max_tokens"));
  EXPECT_EQ(SamplingFault([](Sampling& s) { s.set_top_logprobs(21); }),
            Invalid("sampling.top_logprobs"));
  EXPECT_EQ(SamplingFault([](Sampling& s) { s.set_choices(9); }), Invalid("sampling.choices"));
}

TEST(CheckGenerate, StopStringsAreBounded) {
  using Sampling = v1::SamplingParameters;
  for (const int count : {17, 10'000}) {
    EXPECT_EQ(SamplingFault([&](Sampling& s) {
                for (int i = 0; i < count; ++i) s.add_stop("x");
              }),
              Invalid("sampling.stop"));
  }
  EXPECT_EQ(SamplingFault([](Sampling& s) {
              s.add_stop("x");
              s.add_stop("");
            }),
            Invalid("sampling.stop[1]"));
  EXPECT_EQ(SamplingFault([](Sampling& s) { s.add_stop(std::string(257, 'x')); }),
            Invalid("sampling.stop[0]"));
}

TEST(CheckGenerate, MessagesAreChecked) {
  using Request = v1::DecoderGenerateRequest;
  const auto message = [](Request& r) { return r.mutable_request()->mutable_messages(1); };
  EXPECT_EQ(FaultOf([](Request& r) { r.mutable_request()->clear_messages(); }),
            Invalid("messages"));
  EXPECT_EQ(FaultOf([&](Request& r) { message(r)->set_role(v1::ROLE_UNSPECIFIED); }),
            Invalid("messages[1].role"));
  EXPECT_EQ(FaultOf([&](Request& r) { message(r)->set_role(static_cast<v1::Role>(77)); }),
            Invalid("messages[1].role"));
  EXPECT_EQ(FaultOf([&](Request& r) { message(r)->clear_parts(); }), Invalid("messages[1].parts"));
  EXPECT_EQ(FaultOf([&](Request& r) {
              for (int i = 0; i < 63; ++i) message(r)->add_parts()->set_text("x");
            }),
            Invalid("messages[1].parts"));
  EXPECT_EQ(FaultOf([](Request& r) {
              for (int i = 0; i < kMaxMessages; ++i) *r.mutable_request()->add_messages() = {};
            }),
            Invalid("messages"));
}

TEST(CheckGenerate, PartsAreTextThatIsThereAndValid) {
  using Fault = std::pair<std::string, std::string>;
  using Request = v1::DecoderGenerateRequest;
  const auto part = [](Request& r) {
    return r.mutable_request()->mutable_messages(1)->mutable_parts(0);
  };
  EXPECT_EQ(FaultOf([&](Request& r) { part(r)->Clear(); }),
            Fault("EMPTY_ITEM", "messages[1].parts[0]"));
  EXPECT_EQ(FaultOf([&](Request& r) { part(r)->set_text(""); }),
            Fault("EMPTY_ITEM", "messages[1].parts[0].text"));
  EXPECT_EQ(FaultOf([&](Request& r) { part(r)->set_text("a\xff"); }),
            Fault("INVALID_UTF8", "messages[1].parts[0].text"));
  EXPECT_EQ(FaultOf([&](Request& r) { part(r)->set_image("JPEG"); }),
            Fault("UNSUPPORTED_MODALITY", "messages[1].parts[0]"));
  EXPECT_EQ(FaultOf([&](Request& r) { part(r)->mutable_video(); }),
            Fault("UNSUPPORTED_MODALITY", "messages[1].parts[0]"));
  EXPECT_EQ(FaultOf([&](Request& r) { part(r)->mutable_embedding(); }),
            Fault("UNSUPPORTED_MODALITY", "messages[1].parts[0]"));
  EXPECT_EQ(FaultOf([](Request& r) { r.add_soft_tokens(); }),
            Fault("UNSUPPORTED_MODALITY", "soft_tokens"));
  EXPECT_EQ(FaultOf([&](Request& r) { part(r)->set_text(std::string(1001, 'x')); }),
            Fault("TEXT_TOO_LONG", "messages"));
}

}  // namespace
}  // namespace terminus::services::decoder::edge
