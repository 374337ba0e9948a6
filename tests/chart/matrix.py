"""Installs that people make, each by a name: what must hold for all of them is asked of each."""

from tests.chart.helm import install

CERT_MANAGER = {
    "webhook.certificates.source": "certManager",
    "oidc.tls.source": "certManager",
    "sts.tls.source": "certManager",
}
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
OWN_SECRETS = {
    "webhook.certificates.source": "secret",
    "webhook.certificates.existingSecret": "my-webhook-tls",
    "webhook.certificates.caBundle": PEM,
    "oidc.tls.source": "secret",
    "oidc.tls.existingSecret": "my-oidc-tls",
    "sts.tls.source": "secret",
    "sts.tls.existingSecret": "my-sts-tls",
}
INGRESS = {
    "oidc.publicUrl": "https://oidc.example.com/blue",
    "oidc.tls.source": "none",
    "oidc.ingress.enabled": True,
    "oidc.ingress.className": "public",
}
GATEWAY = {
    "oidc.publicUrl": "https://oidc.example.com",
    "oidc.tls.source": "none",
    "oidc.gateway.enabled": True,
    "oidc.gateway.parentRefs": [{"name": "public", "namespace": "gateways"}],
}
EVERYTHING = {
    "networkPolicy.enabled": True,
    "serviceMonitor.enabled": True,
    "sts.clusterToken": True,
    "webhook.watchConfigMap": True,
    "webhook.matchConditions": [{"name": "not-default", "expression": "object.spec.serviceAccountName != 'default'"}],
    "commonLabels": {"team": "platform"},
    "image.pullSecrets": [{"name": "registry"}],
    "webhook.tolerations": [{"operator": "Exists"}],
    "webhook.nodeSelector": {"kubernetes.io/os": "linux"},
    "webhook.podAnnotations": {"a": "b"},
    "webhook.podLabels": {"c": "d"},
    "webhook.annotations": {"e": "f"},
    "webhook.serviceAccount.annotations": {"g": "h"},
    "webhook.extraArgs": ["--compose-role-arn=true"],
    "webhook.extraEnv": [{"name": "TZ", "value": "UTC"}],
    "webhook.extraVolumes": [{"name": "more", "emptyDir": {}}],
    "webhook.extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
}

INSTALLS = {
    "real AWS": install(),
    "local AWS": install(local=True),
    "second install": install(namespace="team-a", local=True),
    "webhook alone": install({"oidc.enabled": False}),
    "oidc alone behind an ingress": install({"webhook.enabled": False, **INGRESS}),
    "gateway": install(GATEWAY),
    "cert-manager": install(CERT_MANAGER, local=True),
    "own Secrets": install(OWN_SECRETS, local=True),
    "sts alone": install(
        {"webhook.enabled": False, "oidc.enabled": False, "sts.tls.source": "certManager"}, local=True
    ),
    "key ledger": install({"keys.enabled": True, "networkPolicy.enabled": True}),
    "everything": install(EVERYTHING, local=True),
}
