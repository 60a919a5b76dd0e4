#pragma once

#include <string>

#include "absl/strings/string_view.h"

// What Python's strings know of characters: the properties of Unicode 14, as Python 3.11.
namespace terminus::chat {

bool IsPrintable(char32_t c);
bool IsAlphabetic(char32_t c);  // isalpha()
bool IsDecimal(char32_t c);
// The value of a decimal digit.
int DecimalValue(char32_t c);
bool IsDigit(char32_t c);
bool IsNumeric(char32_t c);
bool IsLower(char32_t c);
bool IsUpper(char32_t c);
bool IsTitle(char32_t c);
bool IsCased(char32_t c);
// Of identifiers: the first character, and one of the others.
bool BeginsName(char32_t c);
bool ContinuesName(char32_t c);

std::string Upper(absl::string_view text);
std::string Lower(absl::string_view text);
std::string Casefolded(absl::string_view text);
std::string Capitalized(absl::string_view text);
std::string Titled(absl::string_view text);
std::string CaseSwapped(absl::string_view text);

}  // namespace terminus::chat
