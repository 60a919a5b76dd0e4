#include "models/decoder/teacher_model.h"

#include <fstream>

#include "common/base/check.h"
#include "models/checkpoint/fake_checkpoint.h"

namespace terminus::models::decoder {

TeacherModel::TeacherModel(const std::string& name)
    : golden_(nlohmann::json::parse(std::ifstream("tests/golden/teacher_forcing/models.json"))
                  .at(name)) {
  checkpoint::WriteTestFile(folder_.path() + "/config.json", golden_["config"].dump());
  TERMINUS_CHECK(
      checkpoint::WriteFakeBFloat16(folder_.path() + "/model.safetensors", golden_["tensors"])
          .ok());
}

double TeacherModel::tolerance() const { return 1.5 * golden_["error"].get<double>(); }

std::vector<int32_t> TeacherModel::tokens() const {
  std::vector<int32_t> tokens(512);
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<int32_t>(checkpoint::FakeHash(3000, static_cast<uint32_t>(i)) %
                                     kTeacherVocabulary);
  }
  return tokens;
}

}  // namespace terminus::models::decoder
