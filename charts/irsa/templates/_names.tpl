{{/* Namespaced names are fixed; cluster-scoped ones end in the namespace, save in irsa-system. (root, name) */}}
{{- define "irsa.clusterName" -}}
{{ .name }}{{ if ne .root.Release.Namespace "irsa-system" }}-{{ .root.Release.Namespace }}{{ end }}
{{- end }}

{{/* The labels that selectors use: never to change, a Deployment's selector is immutable. (root, component) */}}
{{- define "irsa.selector" -}}
app.kubernetes.io/name: irsa
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* All labels. (root, component) */}}
{{- define "irsa.labels" -}}
{{- with .root.Values.commonLabels }}
{{- toYaml . }}
{{ end -}}
{{ include "irsa.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* metadata of a namespaced object. (root, component, name) */}}
{{- define "irsa.metadata" -}}
name: {{ .name | default (printf "irsa-%s" .component) }}
namespace: {{ .root.Release.Namespace }}
labels: {{- include "irsa.labels" . | nindent 2 }}
{{- end }}

{{/* metadata of a cluster-scoped object. (root, component) */}}
{{- define "irsa.clusterMetadata" -}}
name: {{ include "irsa.clusterName" (dict "root" .root "name" (printf "irsa-%s" .component)) }}
labels: {{- include "irsa.labels" . | nindent 2 }}
{{- end }}

{{- define "irsa.image" -}}
{{- with .Values.image -}}
{{ if .registry }}{{ .registry }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The names under which a Service answers inside the cluster, as a JSON list. (root, service) */}}
{{- define "irsa.serviceNames" -}}
{{- $namespaced := printf "%s.%s" .service .root.Release.Namespace -}}
{{ list .service $namespaced (printf "%s.svc" $namespaced) (printf "%s.svc.%s" $namespaced .root.Values.clusterDomain) | toJson }}
{{- end }}

{{/* The names of a component's certificate, as a JSON list; the STS also answers for virtual-hosted buckets. (root, component) */}}
{{- define "irsa.certificateNames" -}}
{{- $names := include "irsa.serviceNames" (dict "root" .root "service" (printf "irsa-%s" .component)) | fromJsonArray -}}
{{- if eq .component "sts" }}{{ range rest $names }}{{ $names = append $names (printf "*.%s" .) }}{{ end }}{{ end -}}
{{ concat $names (index .root.Values .component).tls.dnsNames | toJson }}
{{- end }}

{{/* The Secret that holds a component's certificate. (root, component) */}}
{{- define "irsa.tlsSecret" -}}
{{- $tls := (index .root.Values .component).tls -}}
{{ if eq $tls.source "secret" }}{{ $tls.existingSecret }}{{ else }}irsa-{{ .component }}-tls{{ end }}
{{- end }}

{{/* true where the webhook keeps this component's certificate. (root, component) */}}
{{- define "irsa.ownsCertificate" -}}
{{- $values := index .root.Values .component -}}
{{ if and $values.enabled (eq $values.tls.source "own") }}true{{ end }}
{{- end }}

{{- define "irsa.stsUrl" -}}
https://irsa-sts.{{ .Release.Namespace }}.svc
{{- end }}

{{/* The Secrets that the webhook keeps, as a JSON list: what its Role names. */}}
{{- define "irsa.webhookSecrets" -}}
{{- $names := list -}}
{{- if eq .Values.webhook.certificates.source "own" }}{{ $names = append $names "irsa-webhook-ca" }}{{ end -}}
{{- $leaves := list -}}
{{- range $component := list "oidc" "sts" -}}
{{- if include "irsa.ownsCertificate" (dict "root" $ "component" $component) }}{{ $leaves = append $leaves (printf "irsa-%s-tls" $component) }}{{ end -}}
{{- end -}}
{{- if $leaves }}{{ $names = concat $names (list "irsa-ca") $leaves }}{{ end -}}
{{- if eq (include "irsa.sessionKeySecret" .) "irsa-sts-session-key" }}{{ $names = append $names "irsa-sts-session-key" }}{{ end -}}
{{ $names | toJson }}
{{- end }}

{{/* The Secret with the key of session tokens; empty: the STS makes one up and keeps it in memory. */}}
{{- define "irsa.sessionKeySecret" -}}
{{- if .Values.sts.enabled -}}
{{- if .Values.sts.sessionKey.existingSecret }}{{ .Values.sts.sessionKey.existingSecret }}{{ else if .Values.webhook.enabled }}irsa-sts-session-key{{ end -}}
{{- end -}}
{{- end }}

{{/* host and path of the public URL. */}}
{{- define "irsa.publicHost" -}}
{{ (urlParse .Values.oidc.publicUrl).host }}
{{- end }}
{{- define "irsa.publicPath" -}}
{{ (urlParse .Values.oidc.publicUrl).path | trimSuffix "/" }}
{{- end }}
