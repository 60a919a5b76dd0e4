# terminus_proto(NAME proto_terminus PROTOS terminus/v1/content.proto ... [GRPC] DEPS ... IMPORT_DIRS ...)
#
# Generates and compiles C++ for protos under the calling folder, which is their import root.
function(terminus_proto)
  cmake_parse_arguments(ARG "" "NAME;ROOT" "PROTOS;GRPC_PROTOS;DEPS;IMPORT_DIRS" ${ARGN})
  set(out ${PROJECT_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${out})
  set(imports -I${ARG_ROOT})
  foreach(dir ${ARG_IMPORT_DIRS})
    list(APPEND imports -I${dir})
  endforeach()
  set(sources)
  foreach(proto ${ARG_PROTOS} ${ARG_GRPC_PROTOS})
    string(REGEX REPLACE "\\.proto$" "" stem ${proto})
    set(outputs ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(plugin)
    if(proto IN_LIST ARG_GRPC_PROTOS)
      list(APPEND outputs ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      set(plugin --grpc_out=${out} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
    endif()
    add_custom_command(
      OUTPUT ${outputs}
      COMMAND protobuf::protoc ${imports} --cpp_out=${out} ${plugin} ${ARG_ROOT}/${proto}
      DEPENDS ${ARG_ROOT}/${proto}
      COMMENT "protoc ${proto}" VERBATIM)
    list(APPEND sources ${outputs})
  endforeach()
  add_library(${ARG_NAME} STATIC ${sources})
  target_include_directories(${ARG_NAME} SYSTEM PUBLIC ${out})
  target_compile_options(${ARG_NAME} PRIVATE -w)
  target_link_libraries(${ARG_NAME} PUBLIC gRPC::grpc++ protobuf::libprotobuf ${ARG_DEPS})
endfunction()
