#include "common/weights/safetensors_header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

namespace terminus::weights {
namespace {

using ::testing::HasSubstr;

std::string Prefix(uint64_t header_bytes) {
  std::string prefix;
  for (int i = 0; i < 8; ++i) prefix.push_back(static_cast<char>(header_bytes >> (8 * i)));
  return prefix;
}

std::string File(const std::string& header, size_t data_bytes) {
  return Prefix(header.size()) + header + std::string(data_bytes, '\1');
}

auto Parse(const std::string& file) {
  return ParseSafetensors(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(file.data()), file.size()));
}

TEST(ParseSafetensorsTest, ReadsTensorsInTheOrderOfTheirData) {
  const std::string file = File(
      R"({"__metadata__":{"format":"pt"},
          "a":{"dtype":"F32","shape":[2,3],"data_offsets":[2,26]},
          "b":{"dtype":"F16","shape":[],"data_offsets":[0,2]},
          "none":{"dtype":"I64","shape":[0,4],"data_offsets":[26,26]}}   )",
      26);
  const auto tensors = Parse(file);
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ((*tensors)[0].first, "b");
  EXPECT_EQ((*tensors)[0].second.dtype, DType::kFloat16);
  EXPECT_TRUE((*tensors)[0].second.shape.empty());
  EXPECT_EQ((*tensors)[1].first, "a");
  EXPECT_EQ((*tensors)[1].second.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ((*tensors)[1].second.data.size(), 24u);
  EXPECT_EQ(reinterpret_cast<const char*>((*tensors)[1].second.data.data()),
            file.data() + file.size() - 24);
  EXPECT_TRUE((*tensors)[2].second.data.empty());
}

struct Corrupt {
  const char* what;
  std::string file;
  const char* message;
};

class CorruptSafetensorsTest : public ::testing::TestWithParam<Corrupt> {};

TEST_P(CorruptSafetensorsTest, IsRefusedWithReason) {
  const auto tensors = Parse(GetParam().file);
  ASSERT_FALSE(tensors.ok());
  EXPECT_EQ(tensors.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(tensors.status().message()), HasSubstr(GetParam().message));
}

std::string Entry(const std::string& entry, size_t data_bytes = 8) {
  return File(R"({"x":)" + entry + "}", data_bytes);
}

INSTANTIATE_TEST_SUITE_P(
    All, CorruptSafetensorsTest,
    ::testing::Values(
        Corrupt{"Empty", "", "file of 0 bytes"},
        Corrupt{"NoFullPrefix", "1234567", "file of 7 bytes"},
        Corrupt{"HugeHeader", Prefix(~0ull), "at most 100000000"},
        Corrupt{"HeaderOverLimit", Prefix(100'000'001) + "{}", "at most 100000000"},
        Corrupt{"HeaderPastEnd", Prefix(3) + "{}", "expected at most 2, the rest"},
        Corrupt{"NotJson", File("{\"x\":", 0), "header: "},
        Corrupt{"NotUtf8", File("{\"\xff\":1}", 0), "header: "},
        Corrupt{"NotObject", File("[]", 0), "expected a JSON object"},
        Corrupt{"DeeplyNested", File(std::string(200'000, '['), 0), "header: "},
        Corrupt{"EntryNotObject", Entry("3"), "tensor \"x\": expected an object"},
        Corrupt{"NoDtype", Entry(R"({"shape":[2],"data_offsets":[0,8]})"), "dtype: expected"},
        Corrupt{"UnknownDtype", Entry(R"({"dtype":"F33","shape":[2],"data_offsets":[0,8]})"),
                "dtype \"F33\": expected one of BOOL"},
        Corrupt{"NoShape", Entry(R"({"dtype":"F32","data_offsets":[0,8]})"), "shape: expected"},
        Corrupt{"NegativeSize", Entry(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"),
                "non-negative integers, found [-2]"},
        Corrupt{"FractionalSize", Entry(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})"),
                "non-negative integers"},
        Corrupt{"OverflowingShape",
                Entry(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]})"),
                "takes more than 2^63"},
        Corrupt{"NoOffsets", Entry(R"({"dtype":"F32","shape":[2]})"), "data_offsets: expected"},
        Corrupt{"OneOffset", Entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})"),
                "data_offsets: expected"},
        Corrupt{"OffsetsBackwards", Entry(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"),
                "expected a range inside the file's 8 bytes"},
        Corrupt{"PastEnd", Entry(R"({"dtype":"F32","shape":[2],"data_offsets":[4,12]})"),
                "expected a range inside the file's 8 bytes"},
        Corrupt{"OffsetOver64Bit",
                Entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]})"),
                "data_offsets: expected"},
        Corrupt{"TooFewBytes", Entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,7]})"),
                "hold 7 bytes, but float32 [2] takes 8"},
        Corrupt{"GivenTwice",
                File(R"({"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                     R"("x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                     2),
                "\"x\" is given twice"},
        Corrupt{"FieldGivenTwice",
                Entry(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"),
                "tensor \"x\": dtype is given twice"},
        Corrupt{"ByteOrderMark", File("\xEF\xBB\xBF{}", 0), "byte order mark"},
        Corrupt{"NulBehind", File(std::string("{}\0", 3), 0), "byte 2 is 0"},
        Corrupt{"MetadataNotStrings", File(R"({"__metadata__":{"a":1}})", 0),
                "__metadata__: \"a\": expected a string"},
        Corrupt{"TooDeep",
                Entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":)" +
                      std::string(126, '[') + std::string(126, ']') + "}"),
                "at most 127 levels"},
        Corrupt{"BytesBehind", Entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 11),
                "3 bytes behind its last tensor"},
        Corrupt{"BytesOfNoTensor", File("{}", 1), "1 bytes behind its last tensor"},
        Corrupt{"Gap",
                File(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                     R"("y":{"dtype":"U8","shape":[3],"data_offsets":[5,8]}})",
                     8),
                "\"y\": data_offsets begin at 5, expected 4, where the tensor before ends"},
        Corrupt{"GapInFront", Entry(R"({"dtype":"U8","shape":[4],"data_offsets":[4,8]})"),
                "data_offsets begin at 4, expected 0, where the data begins"},
        Corrupt{"Overlap",
                File(R"({"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                     R"("y":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}})",
                     8),
                "\"x\" and \"y\" overlap"}),
    [](const auto& info) { return info.param.what; });

}  // namespace
}  // namespace terminus::weights
