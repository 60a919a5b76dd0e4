#!/usr/bin/env python3
"""Renders random templates with the reference.

usage: make_random_goldens.py [COUNT [SEED [FILE]]]

Writes FILE, random.json by default: [template, text or null] for each of COUNT templates over battery_variables.json. The
test reads it; for a long hunt, write a large file elsewhere and name it in TERMINUS_CHAT_RANDOM when running the test.
"""

import json
import pathlib
import random
import sys

import reference

HERE = pathlib.Path(__file__).parent
NAMES = ["a", "b", "c", "n", "xs", "s", "d", "x"]
ATOMS = [
    "n", "neg", "zero", "f", "big", "t", "no", "none_value", "s", "empty", "spaces", "uni", "xs", "words", "mixed",
    "nothing", "d", "nested", "people", "missing", "messages", "tools", "0", "1", "2", "-1", "3.5", "1.0", "''", "'a'",
    "'b,c'", "'Hello'", "' x '", "'<&>'", "'é日🎉'", "'42'", "'3.7'", "true", "false", "none", "[]", "[1, 2, 3]", "{}",
    "{'a': 1, 'b': 'x'}", "(1, 'a')", "range(4)", "range(1, 9, 3)", "bos_token", "a", "b", "x", "tree", "'%s-%s'", "'{}:{}'",
    "namespace(a=1)", "dict(k=xs)", "'ΑΣ ß'", "'\\n'", "'a\\tb'", "1e16", "1e-5", "0.1", "xs|map('string')", "d.items()",
]
FILTERS = [
    "abs", "attr('name')", "batch(2)|list", "batch(2, 0)|list", "capitalize", "center(9)", "count", "default('D')", "d(1, true)",
    "dictsort", "dictsort(true)", "dictsort(false, 'value')", "dictsort(reverse=true)", "e", "escape", "filesizeformat", "first",
    "float", "float(1)", "forceescape", "format(1)", "format(1, 'q')", "groupby('age')", "indent", "indent(2, true)", "int",
    "int(5)", "int(0, 16)", "items|list", "join", "join(', ')", "join('-', attribute='name')", "last", "length", "list", "lower",
    "map('upper')|list", "map(attribute='name')|list", "map('string')|list", "map('length')|list", "map('first')|list", "max", "min",
    "reject('none')|list", "rejectattr('tags')|list", "replace('a', 'b')", "replace('', '.', 2)", "reverse", "reverse|list",
    "round", "round(1)", "round(1, 'floor')", "round(-1)", "safe", "select|list", "select('string')|list", "select('number')|list",
    "selectattr('age', 'gt', 30)|list", "slice(2)|list", "slice(3, 'z')|list", "sort", "sort(true)", "sort(attribute='name')",
    "sort(case_sensitive=true)", "string", "striptags", "sum", "sum(start=1)", "title", "tojson", "tojson(indent=1)",
    "tojson(sort_keys=true)", "tojson(ensure_ascii=true)", "trim", "trim('a')", "truncate(5)", "truncate(6, true, '!')", "unique|list",
    "upper", "urlencode", "wordcount", "items", "map('int')|list", "select('odd')|list", "first|default('F')", "list|last",
]
TESTS = [
    "boolean", "callable", "defined", "divisibleby(2)", "divisibleby 3", "eq 1", "equalto('a')", "escaped", "even", "false", "filter",
    "float", "ge(2)", "gt 1", "in xs", "in 'abc'", "integer", "iterable", "le 3", "lower", "lt(2)", "mapping", "ne 0", "none", "number",
    "odd", "sameas none", "sequence", "string", "test", "true", "undefined", "upper",
]
METHODS = [
    "upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", "strip()", "strip('a ')", "lstrip()", "rstrip('d\\n ')",
    "split()", "split(',')", "split(' ', 1)", "split(none, 1)", "rsplit(none, 1)", "rsplit(' ', 1)", "splitlines()", "splitlines(true)",
    "partition(' ')", "rpartition('l')", "find('l')", "rfind('l', 1)", "count('l')", "count('')", "startswith('H')", "endswith(('d', 'o'))",
    "replace('l', 'L', 1)", "replace('', '-')", "join(['p', 'q'])", "join('xyz')", "center(8, '*')", "ljust(6)", "rjust(6, '0')", "zfill(6)",
    "expandtabs(4)", "isalpha()", "isdigit()", "isspace()", "istitle()", "isupper()", "islower()", "isprintable()", "isidentifier()",
    "isalnum()", "isnumeric()", "removeprefix('He')", "removesuffix('d')", "format(1, 'w')", "index('l')", "items()", "keys()", "values()",
    "get('a')", "get('zz', 0)", "copy()", "count(1)", "index(1)", "append(1)", "pop()", "bit_length()", "is_integer()", "name", "a", "zz",
    "real", "x.y", "keys()|list", "items()|list", "values()|list", "fromkeys(xs)", "isascii()", "isdecimal()",
]
SUBSCRIPTS = [
    "[0]", "[-1]", "[1:]", "[:2]", "[::-1]", "[::2]", "['a']", "['name']", "[9]", "[n]", "[-2:]", "[1:9:2]", "['zz']", "[2:0:-1]", "[none]",
    "[1.5]", "['upper']()", "[true]", "[xs]", "[:-1]", "[5:1]", "[:n]",
]
SPECS = [
    "'%s' % ({0},)", "'%d|%5d' % ({0}, {0})", "'%.2f' % {0}", "'%5s|%-5s' % ({0}, 'z')", "'%r' % ({0},)", "'%x' % {0}", "'%05.1f' % {0}",
    "'{{}}'.format({0})", "'{{:>8}}'.format({0})", "'{{:.2f}}'.format({0})", "'{{:,}}'.format({0})", "'{{!r:^9}}'.format({0})",
    "'{{:05}}'.format({0})", "'{{0}} {{0}}'.format({0})", "'{{x}}'.format(x={0})", "'{{:e}}'.format({0})", "'{{:g}}'.format({0})",
    "'{{:+d}}'.format({0})", "'{{:%}}'.format({0})", "'{{:.3}}'.format({0})", "'%s %s' % {0}", "'%g' % {0}", "'%e' % {0}", "'%c' % {0}",
]
TEXTS = ["A", " ", "\n", "x\n", "  ", "\n\n", "\t", "<|b|>\n", " y ", "{", "}", "#", "é\n"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, choices):
        return self.random.choice(choices)

    def chance(self, part):
        return self.random.random() < part

    def value(self, depth):
        if depth <= 0 or self.chance(0.15):
            return self.pick(ATOMS)
        inner = lambda: self.value(depth - 1)
        kind = self.random.randrange(20)
        if kind < 5:
            return f"({inner()})|{self.pick(FILTERS)}"
        if kind < 8:
            return f"({inner()}).{self.pick(METHODS)}"
        if kind < 10:
            return f"({inner()}){self.pick(SUBSCRIPTS)}"
        if kind < 12:
            return f"({inner()}) {self.pick(['+', '-', '*', '/', '//', '%', '**', '~', '~', '+'])} ({inner()})"
        if kind == 12:
            op = lambda: self.pick(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
            more = f" {op()} ({inner()})" if self.chance(0.2) else ""
            return f"({inner()}) {op()} ({inner()}){more}"
        if kind == 13:
            return f"({inner()}) is {self.pick(['', 'not '])}{self.pick(TESTS)}"
        if kind == 14:
            return f"({inner()}) {self.pick(['and', 'or'])} ({inner()})"
        if kind == 15:
            return self.pick(["not ({0})", "-({0})", "+({0})"]).format(inner())
        if kind == 16:
            return f"({inner()}) if ({inner()})" + (f" else ({inner()})" if self.chance(0.7) else "")
        if kind == 17:
            return self.pick(SPECS).format(f"({inner()})")
        if kind == 18:
            return self.pick(["[{0}, {1}]", "({0}, {1})", "{{'k': {0}, 'l': {1}}}", "{{{0}: {1}}}"]).format(inner(), inner())
        return self.pick([f"f({inner()})", f"f({inner()}, b={inner()})", "loop.index", "loop.last", "loop.previtem", "loop.length",
                          f"loop.cycle({inner()}, 'z')", f"loop.changed({inner()})", "ns.v", f"range(({inner()})|int)|list",
                          f"dict(({inner()}))", "g()", "varargs", "kwargs", "caller()", "joiner('+')()"])

    def tag(self, text):
        signs = lambda: self.pick(["", "", "", "-", "+"])
        return f"{{%{signs()} {text} {signs()}%}}"

    def output(self, depth):
        return f"{{{{{self.pick(['', '', '-'])} {self.value(depth)} {self.pick(['', '', '-'])}}}}}"

    def block(self, depth, size=3):
        return "".join(self.statement(depth) for _ in range(self.random.randint(1, size)))

    def statement(self, depth):
        kind = self.random.randrange(24)
        if depth <= 0 or kind < 6:
            return self.output(2) if self.chance(0.6) else self.pick(TEXTS)
        name = self.pick(NAMES)
        inner = lambda: self.block(depth - 1)
        if kind < 9:
            elses = self.tag("elif " + self.value(1)) + inner() if self.chance(0.3) else ""
            elses += self.tag("else") + inner() if self.chance(0.4) else ""
            return self.tag("if " + self.value(2)) + inner() + elses + self.tag("endif")
        if kind < 13:
            target = self.pick([name, name, name, f"{name}, y", "(a, b)"])
            source = self.pick(["xs", "words", "d", "d.items()", "range(3)", "'ab'", "[(1, 2), (3, 4)]", "people", "nothing", "missing",
                                "[1, 1, 2]", "xs|map('string')", self.value(1)])
            test = f" if {self.value(1)}" if self.chance(0.2) else ""
            body = inner() + (self.tag(self.pick(["break", "continue"])) if self.chance(0.1) else "")
            body += self.tag("if " + self.value(1)) + self.tag(self.pick(["break", "continue"])) + self.tag("endif") if self.chance(0.2) else ""
            elses = self.tag("else") + inner() if self.chance(0.3) else ""
            return self.tag(f"for {target} in {source}{test}") + body + elses + self.tag("endfor")
        if kind < 17:
            return self.tag(f"set {name} = {self.value(2)}")
        if kind == 17:
            return self.tag(f"set {name}" + self.pick(["", "", " | upper", " | trim"])) + inner() + self.tag("endset")
        if kind == 18:
            head = self.pick(["f(a, b=2)", "f(a, b=a)", "f(a, b=x)", "g()", "f(x, n=n)"])
            return self.tag("macro " + head) + inner() + self.tag("endmacro")
        if kind == 19:
            return self.tag(self.pick(["call f(1)", "call g()", "call f(x, b=1)", "call(y) f(n)"])) + inner() + self.tag("endcall")
        if kind == 20:
            return self.tag(f"with {name} = {self.value(1)}" + self.pick(["", f", b = {self.value(1)}"])) + inner() + self.tag("endwith")
        if kind == 21:
            return self.tag("filter " + self.pick(["upper", "trim", "replace('a', 'b')", "title|trim", "indent(2)"])) + inner() + self.tag("endfilter")
        if kind == 22:
            return self.pick([self.tag("set ns = namespace(v=0)"), self.tag(f"set ns.v = {self.value(1)}"), "{# c #}", "{#- c -#}",
                              "{% raw %} {{ x }}\n{% endraw %}", "{%- raw -%} {% if {%- endraw %}", self.tag("generation") + inner() + self.tag("endgeneration")])
        return self.tag("set a, b = " + self.pick(["1, 2", "(x, n)", "xs[:2]", "b, a", self.value(1)]))

    def template(self):
        if self.chance(0.5):
            return "{{ " + self.value(self.random.randint(1, 4)) + " }}"
        return self.block(3, 5)


def main():
    reference.check_versions()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    out = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else HERE / "random.json"
    variables = json.loads((HERE / "battery_variables.json").read_text())
    maker = Maker(seed)
    goldens = []
    while len(goldens) < count:
        source = maker.template()
        text = reference.render(source, variables)[0]
        # Errors are most: a quarter of them will do. Long texts are not kept.
        if (text is None and maker.chance(0.75)) or len(text or "") + len(source) > 1500:
            continue
        goldens.append([source, text])
    out.write_text("[\n" + ",\n".join(json.dumps(golden, ensure_ascii=False) for golden in goldens) + "\n]\n")


if __name__ == "__main__":
    main()
