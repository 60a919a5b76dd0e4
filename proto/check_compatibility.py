#!/usr/bin/env python3
"""Compares the protos' descriptor set with the golden one.

usage: check_compatibility.py GOLDEN CURRENT

A breaking change (something removed, renamed, renumbered or retyped) fails. So does an addition
that the golden file does not have yet, with the command that brings it up to date: a schema
never changes unnoticed.
"""

import sys

from google.protobuf import descriptor_pb2


def read(path):
    with open(path, "rb") as file:
        return descriptor_pb2.FileDescriptorSet.FromString(file.read())


def elements(descriptor_set):
    """Returns {stable key: what must not change}, one entry for each element of the schema."""
    found = {}

    def walk_enum(prefix, enum):
        for value in enum.value:
            found[f"enum {prefix}{enum.name} = {value.number}"] = value.name

    def walk_message(prefix, message):
        name = prefix + message.name
        found[f"message {name}"] = ""
        for field in message.field:
            oneof = ""
            if field.HasField("oneof_index") and not field.proto3_optional:
                oneof = message.oneof_decl[field.oneof_index].name
            found[f"field {name}.{field.number}"] = (
                field.name, field.type, field.label, field.type_name, oneof, field.proto3_optional)
        for nested in message.nested_type:
            walk_message(name + ".", nested)
        for enum in message.enum_type:
            walk_enum(name + ".", enum)

    for file in descriptor_set.file:
        prefix = file.package + "."
        for message in file.message_type:
            walk_message(prefix, message)
        for enum in file.enum_type:
            walk_enum(prefix, enum)
        for service in file.service:
            for method in service.method:
                found[f"method {prefix}{service.name}.{method.name}"] = (
                    method.input_type, method.output_type,
                    method.client_streaming, method.server_streaming)
    return found


def compare(golden, current):
    """Returns (breaking changes, additions), each a list of lines."""
    old, new = elements(golden), elements(current)
    breaking = [f"removed: {key} {old[key]}" for key in old if key not in new]
    breaking += [f"changed: {key} from {old[key]} to {new[key]}"
                 for key in old if key in new and old[key] != new[key]]
    additions = [f"added: {key} {new[key]}" for key in new if key not in old]
    return breaking, additions


def main():
    golden_path, current_path = sys.argv[1:3]
    breaking, additions = compare(read(golden_path), read(current_path))
    for line in breaking + additions:
        print(line)
    if breaking:
        print(f"{len(breaking)} breaking changes: reserve what goes, never reuse a number")
    elif additions:
        print(f"{len(additions)} additions: cp {current_path} {golden_path}")
    sys.exit(1 if breaking or additions else 0)


if __name__ == "__main__":
    main()
