"""The real Prometheus, with the configs of deploy/prometheus, over a real cluster under load."""

import json
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

import yaml

from binaries import DEPLOY, tool
from cluster import Cluster, free_port
from terminus.v1 import content_pb2, embedding_pb2

PROMETHEUS = DEPLOY / "prometheus"
SUFFIXES = ("_bucket", "_sum", "_count")
# Shapes by which a metric of ours, or of a process, is told from other words.
METRIC = re.compile(r"\b(?:terminus_(?:router|encoder|build)_[a-z_]+|process_[a-z_]+)\b")


def dashboard_queries():
    """[(panel, expression)] of the dashboard."""
    dashboard = json.loads((DEPLOY / "grafana" / "overview.json").read_text())
    return [(panel["title"], target["expr"])
            for panel in dashboard["panels"] for target in panel.get("targets", ())]


def check_config(path):
    return subprocess.run([tool("promtool"), "check", "config", str(path)], capture_output=True,
                          text=True, timeout=60)


class Prometheus:
    """A server with a given config, in a folder of its own."""

    def __init__(self, folder, config):
        self.address = f"127.0.0.1:{free_port()}"
        path = pathlib.Path(folder, "prometheus.yml")
        path.write_text(yaml.safe_dump(config))
        pathlib.Path(folder, "rules.yml").write_text((PROMETHEUS / "rules.yml").read_text())
        checked = check_config(path)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        self.log = open(pathlib.Path(folder, "prometheus.log"), "w+")
        self.process = subprocess.Popen(
            [tool("prometheus"), f"--config.file={path}", f"--web.listen-address={self.address}",
             f"--storage.tsdb.path={folder}/data"], stdout=self.log, stderr=subprocess.STDOUT)

    def get(self, path, **parameters):
        url = f"http://{self.address}/api/v1/{path}?" + urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, query):
        """The values of an instant query that are numbers."""
        result = self.get("query", query=query)["result"]
        return [float(entry["value"][1]) for entry in result if entry["value"][1] != "NaN"]

    def close(self):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class MonitoringTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ports = {name: free_port() for name in ("router", "text", "vision", "video", "decoder")}
        cls.cluster = Cluster(overrides={f"{name}.metrics": f"127.0.0.1:{port}"
                                         for name, port in cls.ports.items()})
        cls.addClassCleanup(cls.cluster.close)
        cls.stopping = threading.Event()
        cls.load = threading.Thread(target=cls.make_load)
        cls.load.start()
        cls.addClassCleanup(cls.load.join)
        cls.addClassCleanup(cls.stopping.set)

    @classmethod
    def make_load(cls):
        """Texts, pictures and a broken picture, by call and by stream, until the tests end."""
        from PIL import Image
        import io
        picture = io.BytesIO()
        Image.new("RGB", (64, 64), (200, 40, 40)).save(picture, "PNG")
        items = [content_pb2.Content(text="measure me"),
                 content_pb2.Content(image=picture.getvalue()),
                 content_pb2.Content(image=b"\x89PNG\r\n\x1a\nbroken")]
        while not cls.stopping.wait(0.02):
            cls.cluster.embedding.Embed(embedding_pb2.EmbedRequest(items=items), timeout=30)
            stream = cls.cluster.embedding.EmbedStream(
                iter([embedding_pb2.EmbedStreamRequest(correlation_id=1, item=items[0])]),
                timeout=30)
            list(stream)

    def start(self, scrape_config):
        config = {"global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
                  "rule_files": ["rules.yml"], "scrape_configs": [scrape_config]}
        folder = tempfile.TemporaryDirectory(prefix="terminus-prometheus-")
        self.addCleanup(folder.cleanup)
        server = Prometheus(folder.name, config)
        self.addCleanup(server.close)
        return server

    def wait(self, condition, what, timeout=40):
        """Polls until the condition returns nothing that is missing."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                missing = condition()
            except OSError as error:
                missing = error
            if not missing:
                return
            self.assertLess(time.monotonic(), deadline, f"waited for {what}: {missing}")
            time.sleep(0.25)

    def local_config(self):
        """The scrape config of local.yml, at the ports of this cluster."""
        (scrape,) = yaml.safe_load((PROMETHEUS / "local.yml").read_text())["scrape_configs"]
        for group in scrape["static_configs"]:
            group["targets"] = [f"127.0.0.1:{self.ports[group['labels']['component']]}"]
        return scrape

    def test_the_local_config_is_accepted_as_it_is(self):
        checked = check_config(PROMETHEUS / "local.yml")
        self.assertEqual(0, checked.returncode, checked.stdout + checked.stderr)

    def test_rules_do_what_they_say(self):
        tested = subprocess.run([tool("promtool"), "test", "rules", "rules_test.yml"],
                                cwd=PROMETHEUS, capture_output=True, text=True, timeout=60)
        self.assertEqual(0, tested.returncode, tested.stdout + tested.stderr)

    def test_every_alert_is_tested(self):
        groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
        alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
        tests = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text())["tests"]
        fired = {check["alertname"] for test in tests for check in test["alert_rule_test"]
                 if check["exp_alerts"]}
        self.assertEqual(alerts, fired)

    def test_every_query_of_the_dashboard_is_answered(self):
        server = self.start(self.local_config())
        queries = [(panel, expression.replace("$__rate_interval", "10s"))
                   for panel, expression in dashboard_queries()]
        self.assertGreater(len(queries), 20)
        self.wait(lambda: [entry for entry in queries if not server.values(entry[1])],
                  "queries without an answer")
        self.assertEqual([1.0] * 5, server.values('up{job="terminus"}'))
        # What is measured is what was sent.
        for query in ('sum(rate(terminus_router_calls_total{method="Embed",code="OK"}[10s]))',
                      'sum(rate(terminus_router_items_total{code="INVALID_ARGUMENT"}[10s]))',
                      'histogram_quantile(0.5, sum by (le) '
                      '(rate(terminus_router_request_seconds_bucket{method="Embed"}[10s])))'):
            self.assertGreater(server.values(query)[0], 0, query)
        alerts = server.get("alerts")["alerts"]
        self.assertEqual([], [a["labels"]["alertname"] for a in alerts if a["state"] == "firing"])
        rules = [rule for group in server.get("rules")["groups"] for rule in group["rules"]]
        self.assertTrue(rules)
        self.assertEqual([], [rule for rule in rules if rule["health"] == "err"])

    def test_pods_are_labelled_as_the_dashboard_wants(self):
        # Debian's Prometheus is built without the discovery of pods: what that would say of them is
        # said by hand, and the config's own relabelling does the rest.
        (scrape,) = yaml.safe_load((PROMETHEUS / "kubernetes.yml").read_text())["scrape_configs"]
        (discovery,) = scrape.pop("kubernetes_sd_configs")
        self.assertEqual({"role": "pod", "namespaces": {"names": ["terminus"]}}, discovery)

        def pod(address, service, port_name, part_of="terminus"):
            return {"targets": [address], "labels": {
                "__meta_kubernetes_pod_label_app_kubernetes_io_part_of": part_of,
                "__meta_kubernetes_pod_label_app_kubernetes_io_name": f"terminus-{service}",
                "__meta_kubernetes_pod_container_port_name": port_name,
                "__meta_kubernetes_pod_name": f"terminus-{service}-abc",
                "__meta_kubernetes_pod_node_name": "node-1"}}

        text = f"127.0.0.1:{self.ports['text']}"
        scrape["static_configs"] = [pod(text, "text", "metrics"),
                                    pod(self.cluster.address, "router", "grpc"),
                                    pod(text, "other", "metrics", part_of="other")]
        server = self.start(scrape)
        self.wait(lambda: not server.values("up == 1"), "a target that is up")
        (target,) = server.get("targets", state="active")["activeTargets"]
        self.assertEqual({"component": "text", "instance": text, "job": "terminus",
                          "node": "node-1", "pod": "terminus-text-abc"}, target["labels"])

    def test_every_metric_that_is_named_exists(self):
        exported = set()

        def look():
            for page in self.cluster.metrics().values():
                exported.update(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE))
            # Counted by code, so it is there from the first item on.
            return {"terminus_encoder_items_total"} - exported

        self.wait(look, "metrics of the first items")
        named = {}
        for file in DEPLOY.rglob("*"):
            if file.is_file():
                for name in METRIC.findall(file.read_text()):
                    for suffix in SUFFIXES:
                        if name not in exported and name.endswith(suffix):
                            name = name.removesuffix(suffix)
                    named[name] = file.name
        # Names that the rules give to their own results: method:terminus_router_faults:….
        recorded = set(re.findall(r"method:(terminus_[a-z_]+):",
                                  (PROMETHEUS / "rules.yml").read_text()))
        self.assertGreater(len(named), 15)
        self.assertEqual({}, {name: file for name, file in named.items()
                              if name not in exported | recorded})

    def test_ports_are_those_of_the_pods(self):
        config = yaml.safe_load((PROMETHEUS / "local.yml").read_text())
        pods = yaml.safe_load((DEPLOY / "k8s" / "base" / "terminus.yaml").read_text())
        for group in config["scrape_configs"][0]["static_configs"]:
            component = group["labels"]["component"]
            if component in pods:
                metrics = pods[component]["metrics"]
            else:
                text = (DEPLOY / "k8s" / "components" / component / f"{component}.yaml").read_text()
                workload = next(item for item in yaml.safe_load_all(text)
                                if item["kind"] in ("Deployment", "StatefulSet"))
                arguments = workload["spec"]["template"]["spec"]["containers"][0]["args"]
                metrics = arguments[arguments.index("--metrics") + 1]
            self.assertEqual([f"127.0.0.1:{metrics.rsplit(':', 1)[1]}"], group["targets"])


if __name__ == "__main__":
    unittest.main()
