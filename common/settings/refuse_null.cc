#include "common/settings/refuse_null.h"

namespace terminus::settings {

void RefuseNull(JsonFile& file, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = file.json().find(key);
    if (found != file.json().end() && found->is_null()) {
      file.Fault(key, "null is not the default here; leave the key out");
    }
  }
}

}  // namespace terminus::settings
