{{/* What the schema cannot say: values that contradict each other. Each message names the value and the cure. */}}
{{- define "irsa.refusals" -}}
{{- $v := .Values -}}
{{- range $component := list "oidc" "sts" -}}
  {{- $values := index $v $component -}}
  {{- if $values.enabled -}}
    {{- if and (eq $values.tls.source "own") (not $v.webhook.enabled) -}}
      {{- fail (printf "%s.tls.source is own, but webhook.enabled is false: the webhook is what keeps that certificate. Set %s.tls.source to secret or certManager, or webhook.enabled to true." $component $component) -}}
    {{- end -}}
    {{- if and (eq $values.tls.source "secret") (not $values.tls.existingSecret) -}}
      {{- fail (printf "%s.tls.source is secret, but %s.tls.existingSecret is empty: name a kubernetes.io/tls Secret in namespace %s." $component $component $.Release.Namespace) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- if $v.webhook.enabled -}}
  {{- with $v.webhook.certificates -}}
    {{- if and (eq .source "secret") (not (and .existingSecret .caBundle)) -}}
      {{- fail "webhook.certificates.source is secret: give both webhook.certificates.existingSecret (a kubernetes.io/tls Secret) and webhook.certificates.caBundle (the PEM of the CA that signed it)." -}}
    {{- end -}}
  {{- end -}}
  {{- if ne (empty $v.webhook.stsEndpointUrl) (empty $v.webhook.s3EndpointUrl) -}}
    {{- fail "webhook.stsEndpointUrl and webhook.s3EndpointUrl go together: a pod that trusts a local CA for one of them does not trust the real AWS for the other." -}}
  {{- end -}}
{{- end -}}
{{- if and $v.keys.enabled (not $v.oidc.enabled) -}}
  {{- fail "keys.enabled needs oidc.enabled: the ledger is for the discovery server." -}}
{{- end -}}
{{- if $v.oidc.enabled -}}
  {{- range $door := list "ingress" "gateway" -}}
    {{- if and (index $v.oidc $door).enabled (not $v.oidc.publicUrl) -}}
      {{- fail (printf "oidc.%s.enabled needs oidc.publicUrl: the address under which it shall be reached, equal to the API server's --service-account-issuer." $door) -}}
    {{- end -}}
  {{- end -}}
  {{- if and $v.oidc.gateway.enabled (not $v.oidc.gateway.parentRefs) -}}
    {{- fail "oidc.gateway.enabled needs oidc.gateway.parentRefs: the Gateway that shall take the route." -}}
  {{- end -}}
{{- end -}}
{{- if $v.sts.enabled -}}
  {{- $given := 0 -}}
  {{- range list $v.sts.accounts $v.sts.accountsFile $v.sts.accountsSecret -}}{{- if . }}{{ $given = add1 $given }}{{ end -}}{{- end -}}
  {{- if ne $given 1 -}}
    {{- fail (printf "sts.enabled needs exactly one of sts.accounts, sts.accountsFile and sts.accountsSecret, %d are given; for a first try: --set-file sts.accountsFile=examples/quickstart/accounts.yaml" $given) -}}
  {{- end -}}
  {{- if and $v.sts.s3.enabled (gt (int $v.sts.replicas) 1) -}}
    {{- fail "sts.replicas must be 1 while sts.s3.enabled: each pod would have buckets of its own." -}}
  {{- end -}}
  {{- if and $v.sts.s3.enabled $v.sts.upstreams.s3 -}}
    {{- fail "sts.upstreams.s3 and sts.s3.enabled both name the S3 server behind the gateway; leave one out." -}}
  {{- end -}}
  {{- if and (gt (int $v.sts.replicas) 1) (not (include "irsa.sessionKeySecret" .)) -}}
    {{- fail "sts.replicas above 1 need a common session key: set sts.sessionKey.existingSecret, or webhook.enabled to true." -}}
  {{- end -}}
{{- end -}}
{{- end }}
