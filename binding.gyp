{
  # The second way to build, with node-gyp; CMakeLists.txt is the first. Both read native/sources.json.
  "targets": [{
    "target_name": "factored_svd",
    "sources": ["<!@(node -p \"Object.values(require('./native/sources.json')).flat().join(' ')\")"],
    "include_dirs": ["native", "<!(node -p \"require('node-addon-api').include_dir\")"],
    "defines": [
      "NAPI_VERSION=9", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      "FSVD_BUILD=\"node-gyp\"", "FSVD_VERSION=\"<!(node -p \"require('./package.json').version\")\""
    ],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti"],
    "cflags_cc": ["-std=c++17", "-O3", "-fno-math-errno", "-ffp-contract=off", "-fvisibility=hidden"],
    "libraries": ["-lopenblas"],
    "ldflags": ["-Wl,-z,nodelete"]
  }]
}
