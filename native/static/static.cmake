# OpenBLAS, libstdc++ and libgcc inside the addon, which then needs the C library and nothing else: what the platform
# packages carry. The compiler may be one for another system; for that, name the library if CMake does not find it.
find_library(STATIC_OPENBLAS_LIBRARY NAMES libopenblas.a PATH_SUFFIXES openblas-pthread
             DOC "libopenblas.a, the pthread build, with position-independent code")
if(NOT STATIC_OPENBLAS_LIBRARY)
  message(FATAL_ERROR "STATIC_OPENBLAS needs libopenblas.a, the pthread build (Debian, Ubuntu: libopenblas-pthread-dev). "
                      "Where it is in another place: -DSTATIC_OPENBLAS_LIBRARY=FILE")
endif()

# For what the package says of itself.
file(WRITE "${CMAKE_BINARY_DIR}/static.json" "{ \"compiler\": \"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\" }\n")

function(link_openblas_statically target)
  set(folder native/static)
  target_sources(${target} PRIVATE ${folder}/gfortran.cc)
  target_link_libraries(${target} PRIVATE "${STATIC_OPENBLAS_LIBRARY}")
  if(WIN32)
    # By MinGW. cmake-js has the list of what Node exports, and leaves it to us to make the library that it links.
    execute_process(COMMAND "${CMAKE_DLLTOOL}" -d "${CMAKE_JS_NODELIB_DEF}" -l "${CMAKE_JS_NODELIB_TARGET}"
                    COMMAND_ERROR_IS_FATAL ANY)
    target_link_options(${target} PRIVATE -static)
    return()
  endif()
  target_link_libraries(${target} PRIVATE m)
  if(APPLE)
    target_link_options(${target} PRIVATE -Wl,-dead_strip
      -Wl,-exported_symbol,_napi_register_module_v1 -Wl,-exported_symbol,_node_api_module_get_api_version_v1)
    return()
  endif()
  target_sources(${target} PRIVATE ${folder}/openblas.cc ${folder}/glibc.cc)
  target_link_options(${target} PRIVATE -s -static-libstdc++ -static-libgcc -Wl,--gc-sections,-z,relro,-z,now
    "-Wl,--version-script=${CMAKE_SOURCE_DIR}/${folder}/exports.map"
    -Wl,--wrap=pthread_atfork,--wrap=openblas_num_threads_env)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/exports.map")

  include(CheckCXXSymbolExists)
  check_cxx_symbol_exists(__GLIBC__ features.h FSVD_GLIBC)
  if(FSVD_GLIBC)
    # Each is bound to an older version by glibc.cc.
    foreach(symbol pthread_create pthread_join pthread_once __pthread_key_create pthread_attr_setstacksize
                   pthread_getaffinity_np pthread_setaffinity_np log pow hypot hypotf __libc_single_threaded _dl_find_object)
      target_link_options(${target} PRIVATE -Wl,--wrap=${symbol})
    endforeach()
    # Before glibc 2.34 the threads were in a library of their own. Later there is an empty one of that name.
    target_link_options(${target} PRIVATE -Wl,--no-as-needed,-l:libpthread.so.0,--as-needed)
  endif()
endfunction()
