"""The reference for chat templates: Jinja 2 as transformers sets it up. Needs transformers and jinja2 in the versions below."""

import copy
import datetime
import re
import warnings

import jinja2
import transformers
from transformers.utils import chat_template_utils

TRANSFORMERS = "5.24.0"
JINJA2 = "3.1.6"
# What strftime_now shows.
NOW = datetime.datetime(2024, 7, 26, 15, 4, 5)


# Templates become Python code, which warns of what it finds odd.
warnings.filterwarnings("ignore", category=SyntaxWarning)


def check_versions():
    assert transformers.__version__ == TRANSFORMERS, transformers.__version__
    assert jinja2.__version__ == JINJA2, jinja2.__version__


def render(source, variables):
    """The text, or None where the reference raises an error, and the error."""
    try:
        compiled = chat_template_utils._cached_compile_jinja_template(source)
        compiled.environment.globals["strftime_now"] = NOW.strftime
        compiled.globals["strftime_now"] = NOW.strftime
        # A copy, because some filters change what they are given.
        text = compiled.render(**copy.deepcopy(variables))
        text.encode()
    except RecursionError as error:
        return None, "RecursionError"
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    # The text of a function or generator holds an address, which is another each time.
    if re.search(r" at 0x[0-9a-f]{6,}>", text):
        return None, "an address"
    return text, None
