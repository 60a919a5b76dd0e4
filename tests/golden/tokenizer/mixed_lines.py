"""Lines of mixed text, for comparisons of tokenizers.

They mix words of several scripts, emoji, code, control characters, digits and very long words, from a fixed seed; every
assigned character comes at least once in 100,000 lines, beside a letter, a space and a digit. Which characters are
assigned, Python's version says.
"""

import itertools
import random
import unicodedata

WORDS = """the of and to a in is that it for was on are as with his they at be this from have or by one had not but
what all were when we there can an your which their said if do will each about how up out them then she many some so
these would other into has more her two like him see time could no make than first been its who now people my made over
did down only way find use may water long little very after words called just where most know don't I'll they've it's
Москва река дом зима привет Ελλάδα θάλασσα 東京 北京 猫 犬 漢字かな 서울 고양이 كتاب بيت שלום नमस्ते दुनिया สวัสดี வணக்கம்
café naïve Zürich smörgåsbord Łódź straße İstanbul 😀 👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ ™ © ½ ² Ⅳ ① … — “quoted” ‘x’ ¿Qué? $1,234.56 3.14159 2024-01-01
int main(){return 0;} def f(x): std::vector<int> #include <a.h> foo_bar camelCase a->b && || != == /* */ // {} [] <|x|>
http://example.com/a?b=c&d=e#f user@example.org C:\\path\\file ~/.bashrc --flag=value 0xdeadbeef 1e-10""".split()
CONTROLS = ["\t", "\n", "\r\n", "\x00", "\x07", "\x1b", "\x7f", "\u00a0", "\u2028", "\u200b", "\ufeff", "\u3000", "\u0301"]


def lines(count):
    """Made-up lines, always the same."""
    chance = random.Random(20240611)
    in_turn = itertools.cycle(ASSIGNED)
    for _ in range(count):
        parts = [f"x{c} {c}'{c}1" for c in itertools.islice(in_turn, 3)]
        for _ in range(chance.randrange(1, 24)):
            kind = chance.random()
            if kind < 0.80:
                word = chance.choice(WORDS)
                case = chance.random()
                parts.append(word.upper() if case < 0.05 else word.capitalize() if case < 0.15 else word)
            elif kind < 0.86:
                parts.append(str(chance.randrange(10 ** chance.randrange(1, 12))))
            elif kind < 0.90:
                parts.append(chance.choice(CONTROLS))
            elif kind < 0.94:
                # Any character that Unicode 14 has assigned, surrogates and private use left out.
                parts.append("".join(chance.choice(ASSIGNED) for _ in range(chance.randrange(1, 6))))
            elif kind < 0.97:
                parts.append(" " * chance.randrange(1, 6))
            elif kind < 0.98:
                parts.append("".join(chance.choice("abcdeé中") for _ in range(chance.randrange(50, 900))))
            else:
                parts.append(chance.choice(".,;:!?'\"()-_/\\") * chance.randrange(1, 5))
        yield chance.choice([" ", " ", " ", "", "  "]).join(parts)


def assigned():
    return [chr(c) for c in range(0x20, 0x30000)
            if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]


ASSIGNED = assigned()
