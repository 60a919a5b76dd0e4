#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function with the status when `expr` is not OK.
#define TERMINUS_RETURN_IF_ERROR(expr)                    \
  do {                                                    \
    if (::absl::Status status_ = (expr); !status_.ok()) { \
      return status_;                                     \
    }                                                     \
  } while (false)

#define TERMINUS_CONCAT_INNER(a, b) a##b
#define TERMINUS_CONCAT(a, b) TERMINUS_CONCAT_INNER(a, b)

// Evaluates a StatusOr; assigns its value to `lhs`, or returns its status.
#define TERMINUS_ASSIGN_OR_RETURN(lhs, expr) \
  TERMINUS_ASSIGN_OR_RETURN_IMPL(TERMINUS_CONCAT(status_or_, __LINE__), lhs, expr)

#define TERMINUS_ASSIGN_OR_RETURN_IMPL(result, lhs, expr) \
  auto result = (expr);                                   \
  if (!result.ok()) {                                     \
    return std::move(result).status();                    \
  }                                                       \
  lhs = std::move(result).value()
