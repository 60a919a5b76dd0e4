# terminus_fuzz(NAME safetensors DEPS common_weights ...)
#
# A libFuzzer target fuzz_NAME from fuzz_NAME.cc of the calling folder, which defines
# LLVMFuzzerTestOneInput. With TERMINUS_FUZZ on (preset `fuzz`, clang) it is a fuzzer. Otherwise it is
# linked with a main() that feeds it the files of corpus/NAME, and is a test of that name: an input
# that once broke something stays in the corpus and is tried by every build.
add_custom_target(fuzz_targets)
function(terminus_fuzz)
  cmake_parse_arguments(ARG "" "NAME" "DEPS" ${ARGN})
  set(target fuzz_${ARG_NAME})
  add_executable(${target} ${target}.cc)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${target} PRIVATE ${ARG_DEPS})
  add_dependencies(fuzz_targets ${target})
  if(TERMINUS_FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    target_link_libraries(${target} PRIVATE fuzz_replay)
    add_test(NAME ${target} COMMAND ${target} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${ARG_NAME})
    set_tests_properties(${target} PROPERTIES LABELS unit)
  endif()
endfunction()
