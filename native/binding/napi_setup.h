// The only header that includes Node-API. The version and the other defines are in CMakeLists.txt and binding.gyp.
#pragma once
#include <napi.h>
