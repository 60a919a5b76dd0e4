#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/base/temp_folder.h"

// For tests only: the models of tests/golden/teacher_forcing/models.json.
namespace terminus::models::decoder {

inline constexpr int kTeacherVocabulary = 504;

class TeacherModel {
 public:
  explicit TeacherModel(const std::string& name);

  const std::string& folder() const { return folder_.path(); }

  // How far from float32 a computation in bfloat16 may be, as ‖difference‖ / ‖logits‖: half as far
  // again as transformers' own is over 512 tokens.
  double tolerance() const;

  // The 512 tokens, and their logits in float32 by transformers, of a few of them.
  std::vector<int32_t> tokens() const;
  const nlohmann::json& logits() const { return golden_["logits"]; }

 private:
  nlohmann::json golden_;
  base::TempFolder folder_;
};

}  // namespace terminus::models::decoder
