# The helpers by which every folder becomes one CMake target.

# terminus_library(NAME common_base SRCS ... HDRS ... DEPS ... PRIVATE_DEPS ... [TORCH | PRIVATE_TORCH])
#
# A static library (header-only if SRCS is empty). DEPS are part of its headers' contract,
# PRIVATE_DEPS only of its sources. TORCH links LibTorch and uses its precompiled header;
# PRIVATE_TORCH does so for the sources alone, which is a must where users of the headers see
# protobuf: the wheel's include folder holds an older protobuf's headers.
function(terminus_library)
  cmake_parse_arguments(ARG "TORCH;PRIVATE_TORCH" "NAME" "SRCS;HDRS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "terminus_library(${ARG_NAME}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  if(ARG_SRCS)
    add_library(${ARG_NAME} STATIC ${ARG_SRCS} ${ARG_HDRS})
    target_include_directories(${ARG_NAME} PUBLIC ${PROJECT_SOURCE_DIR})
    target_link_libraries(${ARG_NAME} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  else()
    add_library(${ARG_NAME} INTERFACE ${ARG_HDRS})
    target_include_directories(${ARG_NAME} INTERFACE ${PROJECT_SOURCE_DIR})
    target_link_libraries(${ARG_NAME} INTERFACE ${ARG_DEPS})
  endif()
  if(ARG_TORCH)
    terminus_use_torch(${ARG_NAME} PUBLIC)
  elseif(ARG_PRIVATE_TORCH)
    terminus_use_torch(${ARG_NAME} PRIVATE)
  endif()
endfunction()

# terminus_binary(NAME terminus-text SRCS ... DEPS ... [TORCH])
#
# The target `binaries` builds all that is installed, and no test.
add_custom_target(binaries)
function(terminus_binary)
  cmake_parse_arguments(ARG "TORCH" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS})
  if(ARG_TORCH)
    terminus_use_torch(${ARG_NAME} PRIVATE)
  endif()
  add_dependencies(binaries ${ARG_NAME})
  install(TARGETS ${ARG_NAME} RUNTIME DESTINATION bin)
endfunction()

# terminus_test(NAME common_base_test SRCS ... DEPS ... [LABELS gpu] [DATA ...] [TORCH])
#
# One gtest binary, registered case by case. The label `gpu` marks what needs a GPU; such a test
# calls GTEST_SKIP() where there is none, which CTest reports as skipped, never as passed. TSAN marks
# a test that links neither gRPC nor LibTorch: only these are built (target tsan_tests) and run under
# ThreadSanitizer, which knows nothing of what happens inside libraries that were built without it.
add_custom_target(tsan_tests)
function(terminus_test)
  cmake_parse_arguments(ARG "TORCH;TSAN" "NAME" "SRCS;DEPS;LABELS" ${ARGN})
  add_executable(${ARG_NAME} ${ARG_SRCS})
  target_include_directories(${ARG_NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  if(ARG_TORCH)
    terminus_use_torch(${ARG_NAME} PRIVATE)
  endif()
  set(labels unit)
  if(ARG_LABELS)
    set(labels ${ARG_LABELS})
  endif()
  if(ARG_TSAN)
    set(labels unit_tsan)  # One label: a list does not survive gtest_discover_tests.
    add_dependencies(tsan_tests ${ARG_NAME})
  endif()
  # Listing at test time, not at build time: a listing costs a torch start-up each.
  gtest_discover_tests(${ARG_NAME} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "${labels}"
    TEST_PREFIX "${ARG_NAME}." WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()
include(GoogleTest)

# LibTorch headers cost some 20 s a translation unit; one precompiled header serves every user.
function(terminus_use_torch target scope)
  if(NOT TARGET terminus_torch_pch)
    # Written only where it differs: what uses the header is built again when it is.
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/pch/torch_pch.cc
         CONTENT "// Carries the precompiled header.\n")
    add_library(terminus_torch_pch STATIC ${PROJECT_BINARY_DIR}/pch/torch_pch.cc)
    target_link_libraries(terminus_torch_pch PUBLIC torch::cpu Threads::Threads)
    target_precompile_headers(terminus_torch_pch PRIVATE <ATen/ATen.h>)
    target_compile_options(terminus_torch_pch PRIVATE -fpch-preprocess)
  endif()
  target_link_libraries(${target} ${scope} torch::cpu)
  get_target_property(type ${target} TYPE)
  if(NOT type STREQUAL INTERFACE_LIBRARY)
    if(type STREQUAL EXECUTABLE)
      # CMake says -fPIE for executables, and the header is made with -fPIC: a mismatch ignores it.
      set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
      target_compile_options(${target} PRIVATE -fPIC)
    endif()
    target_compile_options(${target} PRIVATE -fpch-preprocess)
    target_precompile_headers(${target} REUSE_FROM terminus_torch_pch)
  endif()
endfunction()

# terminus_python_test(NAME x COMMAND script.py ARGS...) runs with the Python that setup made, in the
# calling folder.
function(terminus_python_test)
  cmake_parse_arguments(ARG "" "NAME" "COMMAND;LABELS" ${ARGN})
  add_test(NAME ${ARG_NAME} COMMAND ${TERMINUS_HOME}/venv/bin/python3 ${ARG_COMMAND}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set(labels unit)
  if(ARG_LABELS)
    set(labels ${ARG_LABELS})
  endif()
  set_tests_properties(${ARG_NAME} PROPERTIES LABELS "${labels}")
endfunction()
