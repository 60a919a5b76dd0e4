# The grammar compiler of structured output, from the source package that scripts/setup unpacked.
#
# Defines xgrammar, for common/grammar alone: a static library whose code differs from the package's
# in three ways. Its log goes to common/grammar (XGRAMMAR_LOG_CUSTOMIZE). So do its operators new and
# delete, which is how a compilation can be stopped. And its instances of the standard library's
# templates are its own: elsewhere the linker would let them share code with ours, whose memory does
# not count.

set(xgrammar_dir ${TERMINUS_HOME}/xgrammar)
if(NOT EXISTS ${xgrammar_dir}/include/xgrammar/xgrammar.h)
  message(FATAL_ERROR "xgrammar is not in '${xgrammar_dir}': run scripts/setup")
endif()

file(GLOB xgrammar_sources ${xgrammar_dir}/cpp/*.cc ${xgrammar_dir}/cpp/converter_ext/*.cc
     ${xgrammar_dir}/cpp/support/*.cc)
# As C++20, where strings too are code of whoever uses them, and so allocate by the library's
# operators.
add_library(xgrammar_objects OBJECT ${xgrammar_sources})
set(xgrammar_includes ${xgrammar_dir}/include ${xgrammar_dir}/3rdparty/dlpack/include)
target_include_directories(xgrammar_objects SYSTEM PRIVATE
  ${xgrammar_includes} ${xgrammar_dir}/3rdparty/picojson)
set(xgrammar_definitions XGRAMMAR_ENABLE_CPPTRACE=0 XGRAMMAR_ENABLE_INTERNAL_CHECK=0)
target_compile_definitions(xgrammar_objects PRIVATE ${xgrammar_definitions} XGRAMMAR_LOG_CUSTOMIZE=1)
# Warnings are not ours to mend. Unique symbols could not be hidden.
target_compile_options(xgrammar_objects PRIVATE -w $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)

# One object, in which only the library's own names are seen from outside.
find_program(TERMINUS_LD NAMES ld.bfd REQUIRED)
set(xgrammar_linked ${CMAKE_CURRENT_BINARY_DIR}/xgrammar_linked.o)
set(xgrammar_object ${CMAKE_CURRENT_BINARY_DIR}/xgrammar.o)
add_custom_command(
  OUTPUT ${xgrammar_object}
  BYPRODUCTS ${xgrammar_linked}
  COMMAND ${TERMINUS_LD} -r --force-group-allocation -o ${xgrammar_linked}
    $<TARGET_OBJECTS:xgrammar_objects>
  COMMAND ${CMAKE_OBJCOPY} --wildcard
    "--keep-global-symbol=_ZN8xgrammar*" "--keep-global-symbol=_ZNK8xgrammar*"
    --redefine-sym _Znwm=terminus_grammar_new
    --redefine-sym _ZdlPv=terminus_grammar_delete
    --redefine-sym _ZdlPvm=terminus_grammar_delete_sized
    ${xgrammar_linked} ${xgrammar_object}
  DEPENDS xgrammar_objects $<TARGET_OBJECTS:xgrammar_objects>
  COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "Linking xgrammar.o")

set_source_files_properties(${xgrammar_object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
add_library(xgrammar STATIC ${xgrammar_object})
set_target_properties(xgrammar PROPERTIES LINKER_LANGUAGE CXX)
target_include_directories(xgrammar SYSTEM INTERFACE ${xgrammar_includes})
target_compile_definitions(xgrammar INTERFACE ${xgrammar_definitions})
# Its log and its operators, which it calls back.
target_link_libraries(xgrammar INTERFACE common_grammar)
