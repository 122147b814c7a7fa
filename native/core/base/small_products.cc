#include "small_products.h"

#include <strings.h>

#include <initializer_list>

extern "C" char* openblas_get_corename(void);

namespace fsvd {

bool has_small_products() {
  static const bool found = [] {
    for (const char* name : {"SkylakeX", "Cooperlake", "SapphireRapids"})
      if (strcasecmp(openblas_get_corename(), name) == 0) return true;
    return false;
  }();
  return found;
}

}  // namespace fsvd
