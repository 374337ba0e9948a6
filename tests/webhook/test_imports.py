"""What a webhook process loads, which is what it weighs and waits for."""

import subprocess
import sys

LOADED = "import sys; import irsa.cli.webhook, webhook.serve; print(*sys.modules)"
TWICE = (
    "import webhook.framework, kubernetes.client; print(kubernetes.client.CoreV1Api.__name__, webhook.framework.kopf)"
)


def test_no_kubernetes_client_is_loaded() -> None:
    """The official one would be imported by kopf, and with it pydantic and requests."""
    done = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert {"kopf", "webhook.serve"} <= loaded
    assert not {"kubernetes", "pykube", "pydantic", "requests", "moto", "boto3", "jsonschema"} & loaded


def test_whoever_wants_it_later_gets_it() -> None:
    """It is hidden from kopf alone."""
    done = subprocess.run([sys.executable, "-c", TWICE], check=True, capture_output=True, text=True)
    assert "CoreV1Api" in done.stdout
