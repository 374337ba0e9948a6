"""The API server fixture is the real thing: its tokens verify, its RBAC refuses, its objects outlive a restart."""

import jwt
import pytest

from tests.cluster import pki
from tests.cluster.apiserver import ApiServer
from tests.cluster.client import ApiError, Client
from tests.cluster.fixtures import FreshApiServer


def test_tokens_name_the_issuer_and_the_audience(apiserver: ApiServer) -> None:
    """A TokenRequest is answered with a token that says who, for whom, and by whom."""
    token = apiserver.token(apiserver.namespace(), "default", "sts.amazonaws.com", 600)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert apiserver.issuer == claims["iss"]
    assert ["sts.amazonaws.com"] == claims["aud"]
    assert 600 == claims["exp"] - claims["iat"]


def test_a_namespace_has_what_every_namespace_has(apiserver: ApiServer) -> None:
    """The default ServiceAccount and the cluster's CA are there, so pods are admitted as on a whole cluster."""
    namespace = apiserver.namespace()
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "none"}]}}
    admitted = apiserver.client.create(f"/api/v1/namespaces/{namespace}/pods", pod)
    assert "default" == admitted["spec"]["serviceAccountName"]
    assert admitted["spec"]["volumes"][0]["name"].startswith("kube-api-access-")


def test_users_have_no_more_than_rbac_gives(apiserver: ApiServer) -> None:
    """A user without a binding reads no Secret; the ServiceAccount of a pod neither."""
    namespace = apiserver.namespace()
    for kubeconfig in (apiserver.user("nobody"), apiserver.service_account(namespace, "default")):
        with pytest.raises(ApiError) as refused:
            Client(kubeconfig).get(f"/api/v1/namespaces/{namespace}/secrets")
        assert 403 == refused.value.status


def test_objects_and_keys_outlive_a_restart(apiserver: ApiServer) -> None:
    """After `restart` the same objects are there and an old token is still accepted."""
    namespace = apiserver.namespace()
    kubeconfig = apiserver.service_account(namespace, "default")
    apiserver.restart()
    assert namespace in apiserver.kubectl("get", "namespaces")
    me = Client(kubeconfig).create("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
    assert f"system:serviceaccount:{namespace}:default" == me["status"]["userInfo"]["username"]


def test_keys_and_flags_are_the_tests_own(fresh_apiserver: FreshApiServer) -> None:
    """An API server with keys of the test: the first signs, both are published."""
    keys = [pki.signing_key(), pki.signing_key()]
    flags = {"service-account-issuer": "https://issuer.example", "api-audiences": "https://issuer.example"}
    with fresh_apiserver(flags, keys) as server:
        token = server.token("default", "default")
        verified = jwt.decode(token, pki.public_key(keys[0]), ["RS256"], audience="sts.amazonaws.com")
        assert "https://issuer.example" == verified["iss"] == server.issuer
        assert 2 == len(server.client.get("/openid/v1/jwks")["keys"])
