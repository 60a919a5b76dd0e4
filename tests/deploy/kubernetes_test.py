"""deploy/k8s renders, is valid, and says nothing that the binaries do not know."""

import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

import kubernetes_validate
import yaml

from binaries import DEPLOY, binary, flags_of, tool

K8S = DEPLOY / "k8s"
PORTS = {"router": (8500, 9500), "text": (8501, 9501), "vision": (8502, 9502),
         "video": (8503, 9503), "decoder": (8504, 9504)}
WORKLOADS = ("Deployment", "StatefulSet")


def render(folder):
    out = subprocess.run([tool("kubectl"), "kustomize", str(folder)], capture_output=True,
                         text=True, timeout=60)
    assert out.returncode == 0, out.stderr
    return list(yaml.safe_load_all(out.stdout))


def workloads(objects):
    """{service: (object, its only container)}"""
    found = {}
    for item in objects:
        if item["kind"] in WORKLOADS:
            containers = item["spec"]["template"]["spec"]["containers"]
            assert len(containers) == 1
            found[item["metadata"]["name"].removeprefix("terminus-")] = (item, containers[0])
    return found


def for_each_rendering(test):
    """Calls a test with the name and the objects of each rendering."""
    def run(self):
        for name, objects in self.rendered.items():
            with self.subTest(name):
                test(self, name, objects)
    return run


class KubernetesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rendered = {name: render(K8S / "overlays" / name) for name in ("cpu", "gpu")}
        # The encoders of text and images alone.
        cls.rendered["base"] = render(K8S / "base")

    @for_each_rendering
    def test_every_object_is_valid(self, name, objects):
        for item in objects:
            kubernetes_validate.validate(item, kubernetes_validate.latest_version(),
                                         strict=True)

    def test_what_stands_beside_the_overlays_is_valid(self):
        for file in (DEPLOY / "prometheus" / "kubernetes-rbac.yml", K8S / "load-models.yaml"):
            for item in yaml.safe_load_all(file.read_text()):
                kubernetes_validate.validate(item, kubernetes_validate.latest_version(),
                                             strict=True)

    @for_each_rendering
    def test_every_service_is_there_once(self, name, objects):
        expected = {"router", "text", "vision"} if name == "base" else set(PORTS)
        self.assertEqual(expected, set(workloads(objects)))
        for service in expected:
            kinds = [item["kind"] for item in objects
                     if item["metadata"]["name"] == f"terminus-{service}"]
            self.assertEqual(1, kinds.count("Service"), service)
            self.assertEqual(1, kinds.count("PodDisruptionBudget"), service)
            self.assertEqual(1, kinds.count("NetworkPolicy"), service)

    @for_each_rendering
    def test_ports_agree_everywhere(self, name, objects):
        config = self.config_of(objects)
        for service, (item, container) in workloads(objects).items():
            port, metrics = PORTS[service]
            self.assertEqual({"grpc": port, "metrics": metrics},
                             {p["name"]: p["containerPort"] for p in container["ports"]})
            self.assertEqual(port, container["readinessProbe"]["grpc"]["port"])
            arguments = container["args"]
            if "--listen" in arguments:
                listen = arguments[arguments.index("--listen") + 1]
                metrics_address = arguments[arguments.index("--metrics") + 1]
            else:
                (listen,) = config[service]["listen"]
                metrics_address = config[service]["metrics"]
            self.assertEqual((f"0.0.0.0:{port}", f"0.0.0.0:{metrics}"),
                             (listen, metrics_address))
            (offered,) = [o for o in objects if o["kind"] == "Service"
                          and o["metadata"]["name"] == item["metadata"]["name"]]
            self.assertIn(port, [p["port"] for p in offered["spec"]["ports"]])
            if service != "router":
                self.assertEqual("None", offered["spec"]["clusterIP"])

    @for_each_rendering
    def test_the_router_is_told_of_every_service(self, name, objects):
        found = workloads(objects)
        config = self.config_of(objects)
        targets = dict(config["router"]["replicas"])
        for argument in found["router"][1]["args"]:
            if match := re.fullmatch(r"router\.replicas\.([a-z]+)=(.*)", argument):
                targets[match[1]] = yaml.safe_load(match[2])
        self.assertEqual({s: [f"dns:///terminus-{s}:{PORTS[s][0]}"]
                          for s in found if s != "router"}, targets)

    @for_each_rendering
    def test_pods_are_locked_down(self, name, objects):
        for service, (item, container) in workloads(objects).items():
            pod = item["spec"]["template"]["spec"]
            self.assertTrue(pod["securityContext"]["runAsNonRoot"], service)
            self.assertFalse(pod["automountServiceAccountToken"], service)
            self.assertTrue(container["securityContext"]["readOnlyRootFilesystem"], service)
            self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
            self.assertEqual(["ALL"], container["securityContext"]["capabilities"]["drop"])
            self.assertIn("memory", container["resources"]["limits"])

    def test_only_the_gpu_overlay_asks_for_gpus(self):
        def gpus(name, service):
            return workloads(self.rendered[name])[service][1]["resources"]["limits"].get(
                "nvidia.com/gpu")
        for service in ("text", "vision", "video", "decoder"):
            self.assertEqual("1", gpus("gpu", service))
            self.assertIsNone(gpus("cpu", service))
        self.assertIsNone(gpus("gpu", "router"))

    @for_each_rendering
    def test_binaries_know_their_flags(self, name, objects):
        for service, (_, container) in workloads(objects).items():
            (name,) = container["command"]
            if not binary(name).exists():
                # A component for a service that this tree does not build.
                self.assertIn(service, ("video", "decoder"))
                continue
            flags = {a for a in container["args"] if a.startswith("--")}
            self.assertLessEqual(flags, flags_of(name), name)

    def test_the_config_is_understood(self):
        (config,) = [o for o in self.rendered["cpu"] if o["kind"] == "ConfigMap"]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "terminus.yaml")
            path.write_text(config["data"]["terminus.yaml"])
            for service in ("text", "vision"):
                # Past its config, it finds no model here.
                out = subprocess.run(
                    [binary(f"terminus-{service}"), "--config", path, "--listen", "127.0.0.1:0",
                     "--metrics", "127.0.0.1:0", "--bundle", folder],
                    capture_output=True, text=True, timeout=60)
                self.assertEqual(2, out.returncode, out.stderr)
                self.assertIn("bundle.yaml", out.stderr)
            self.assertEqual("", self.run_router(path))

    def test_a_wrong_config_would_be_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "terminus.yaml")
            path.write_text("router: {replica: {}}\n")
            self.assertIn("router.replica", self.run_router(path))

    def config_of(self, objects):
        (config,) = [o for o in objects if o["kind"] == "ConfigMap"]
        return yaml.safe_load(config["data"]["terminus.yaml"])

    def run_router(self, path):
        """Starts a router with the config; returns "" if it runs, else what it said."""
        said = ""
        with subprocess.Popen(
                [binary("terminus-router"), "--config", path, "--listen", "127.0.0.1:0",
                 "--metrics", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                said += line
                if "listening" in line:
                    process.send_signal(signal.SIGTERM)
                    process.communicate(timeout=60)
                    return "" if process.returncode == 0 else said
        return said


if __name__ == "__main__":
    unittest.main()
