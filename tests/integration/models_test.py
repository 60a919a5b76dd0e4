"""`terminus up --model FOLDER` serves a user's own folder, or says what could be served."""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from cluster import BUILD, Cluster, free_port
from google.rpc import code_pb2
from terminus.v1 import content_pb2, embedding_pb2

HOME = pathlib.Path(os.environ.get("TERMINUS_HOME", pathlib.Path.home() / ".cache" / "terminus"))
TEXT_FOLDER = HOME / "bundles" / "default" / "text"


class ModelsTest(unittest.TestCase):
    def refused(self, folder):
        """Returns what `terminus up` says of a folder that it cannot serve."""
        with tempfile.TemporaryDirectory() as state:
            result = subprocess.run(
                [str(BUILD / "bin" / "terminus"), "up", "--state", state,
                 "--listen", f"127.0.0.1:{free_port()}", "--model", str(folder)],
                capture_output=True, text=True, timeout=120)
        self.assertEqual(1, result.returncode)
        return result.stderr

    def test_a_folder_of_ones_own_is_served(self):
        with Cluster(arguments=["--model", str(TEXT_FOLDER)]) as cluster:
            results = cluster.embedding.Embed(embedding_pb2.EmbedRequest(
                items=[content_pb2.Content(text="a cat"), content_pb2.Content(image=b"\x89PNG")]),
                timeout=30).results
            self.assertEqual(code_pb2.OK, results[0].status.code)
            # A text model alone: images have nowhere to go, and only they fail.
            self.assertNotEqual(code_pb2.OK, results[1].status.code)

    def test_an_unsupported_architecture_lists_what_is_supported(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "config.json").write_text(json.dumps({"model_type": "mamba"}))
            said = self.refused(folder)
        for word in ("mamba", "bert", "efficientnet_lite0", "llama", "bundle.yaml"):
            self.assertIn(word, said)

    def test_wrong_weights_are_listed_with_both_sides(self):
        with tempfile.TemporaryDirectory() as folder:
            for file in TEXT_FOLDER.iterdir():
                os.symlink(file, pathlib.Path(folder, file.name))
            config = json.loads((TEXT_FOLDER / "config.json").read_text())
            config["intermediate_size"] = 100
            config["num_hidden_layers"] = 7
            pathlib.Path(folder, "config.json").unlink()
            pathlib.Path(folder, "config.json").write_text(json.dumps(config))
            # The whole list is in the service's own log; `up` shows the end of it.
            result = subprocess.run(
                [str(BUILD / "bin" / "terminus-text"), "--model", folder,
                 "--listen", f"127.0.0.1:{free_port()}"],
                capture_output=True, text=True, timeout=120)
        # It can never work: whoever supervises it need not try again.
        self.assertEqual(2, result.returncode)
        said = result.stderr
        self.assertIn("[100, 384]", said)    # expected
        self.assertIn("[1536, 384]", said)   # found
        self.assertIn("encoder.layer.6", said)  # missing
        self.assertIn("encoder.layer.5.intermediate.dense.weight", said)


if __name__ == "__main__":
    unittest.main()
