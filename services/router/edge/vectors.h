#pragma once

#include "terminus/v1/encoder.pb.h"

namespace terminus::services::router::edge {

// Appends a float32 vector [dimension] as a row of a float32 matrix [rows, dimension].
inline void AppendRow(const v1::Tensor& vector, v1::Tensor& matrix) {
  if (matrix.shape_size() == 0) {
    matrix.set_dtype(v1::DATA_TYPE_FLOAT32);
    matrix.add_shape(0);
    matrix.add_shape(vector.shape(0));
  }
  matrix.set_shape(0, matrix.shape(0) + 1);
  matrix.mutable_data()->append(vector.data());
}

}  // namespace terminus::services::router::edge
