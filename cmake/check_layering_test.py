"""Unit tests of check_layering: each rule is broken once and must be reported."""

import pathlib
import tempfile
import unittest

import check_layering


class CheckLayeringTest(unittest.TestCase):
    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return check_layering.check(root)

    def test_leftward_is_allowed(self):
        self.assertEqual([], self.check({
            "common/base/a.h": "",
            "common/rpc/b.h": '#include "common/base/a.h"\n',
            "services/text/c.cc": '#include "common/rpc/b.h"\n'}))

    def test_rightward_is_refused(self):
        errors = self.check({"services/text/a.h": "",
                             "common/rpc/b.h": '#include "services/text/a.h"\n'})
        self.assertEqual(1, len(errors))
        self.assertIn("common/rpc/b.h:1", errors[0])

    def test_base_may_not_include_the_rest_of_common(self):
        self.assertTrue(self.check({"common/rpc/a.h": "",
                                    "common/base/b.h": '#include "common/rpc/a.h"\n'}))

    def test_services_do_not_include_each_other(self):
        self.assertTrue(self.check({"services/text/a.h": "",
                                    "services/vision/b.h": '#include "services/text/a.h"\n'}))

    def test_circle_within_a_layer(self):
        errors = self.check({"common/rpc/a.h": '#include "common/config/b.h"\n',
                             "common/config/b.h": '#include "common/rpc/a.h"\n'})
        self.assertIn("circle", errors[-1])

    def test_forbidden_header(self):
        self.assertTrue(self.check({"common/batching/a.h": "#include <grpcpp/grpcpp.h>\n"}))
        self.assertTrue(self.check({"services/router/edge/a.h": "#include <ATen/ATen.h>\n"}))


if __name__ == "__main__":
    unittest.main()
