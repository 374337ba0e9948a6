{{/*
The Deployment of a component: everything that is equal for all of them, so that no container can have a weaker security
context, a missing probe or an inherited token by oversight.

(root, component, args, automount, volumes, mounts, ports, readiness: the port that /readyz is asked on, sidecars)
*/}}
{{- define "irsa.deployment" -}}
{{- $values := index .root.Values .component -}}
{{- $selector := include "irsa.selector" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "irsa.metadata" . | nindent 2 }}
  {{- with $values.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  replicas: {{ $values.replicas }}
  revisionHistoryLimit: 3
  selector:
    matchLabels: {{- $selector | nindent 6 }}
  strategy:
    type: RollingUpdate
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  template:
    metadata:
      labels:
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "irsa.labels" . | nindent 8 }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .component }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: irsa-{{ .component }}
      automountServiceAccountToken: {{ .automount | default false }}
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ add 25 .root.Values.lameDuckSeconds }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        fsGroup: 65532
        seccompProfile: {type: RuntimeDefault}
      {{- with .root.Values.image.pullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if kindIs "invalid" $values.topologySpreadConstraints }}
      topologySpreadConstraints:
        {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          whenUnsatisfiable: ScheduleAnyway
          matchLabelKeys: [pod-template-hash]
          labelSelector:
            matchLabels: {{- $selector | nindent 14 }}
        {{- end }}
      {{- else if $values.topologySpreadConstraints }}
      topologySpreadConstraints: {{- toYaml $values.topologySpreadConstraints | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          {{- include "irsa.container" .root | nindent 10 }}
          args: {{- toYaml (concat .args $values.extraArgs) | nindent 12 }}
          {{- with $values.extraEnv }}
          env: {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            {{- range $name, $port := .ports }}
            - {name: {{ $name }}, containerPort: {{ $port }}, protocol: TCP}
            {{- end }}
          startupProbe:
            httpGet: {path: /livez, port: metrics}
            periodSeconds: 1
            timeoutSeconds: 3
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /livez, port: metrics}
            periodSeconds: 10
            timeoutSeconds: 3
          readinessProbe:
            httpGet: {{- toYaml (.readiness | default (dict "path" "/readyz" "port" "metrics")) | nindent 14 }}
            periodSeconds: 3
            timeoutSeconds: 3
            failureThreshold: 2
          resources: {{- toYaml $values.resources | nindent 12 }}
          {{- with concat .mounts $values.extraVolumeMounts }}
          volumeMounts: {{- toYaml . | nindent 12 }}
          {{- end }}
        {{- with .sidecars }}
        {{- . | nindent 8 }}
        {{- end }}
      {{- with concat .volumes $values.extraVolumes }}
      volumes: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}

{{/* What every container of ours has. (root) */}}
{{- define "irsa.container" -}}
image: {{ include "irsa.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* ServiceAccount, and PodDisruptionBudget where wanted. (root, component) */}}
{{- define "irsa.companions" -}}
{{- $values := index .root.Values .component -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "irsa.metadata" . | nindent 2 }}
  {{- with $values.serviceAccount.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- if $values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{- include "irsa.metadata" . | nindent 2 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- include "irsa.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* The Service in front of a component. (root, component, port, portName) */}}
{{- define "irsa.service" -}}
apiVersion: v1
kind: Service
metadata: {{- include "irsa.metadata" . | nindent 2 }}
spec:
  type: ClusterIP
  selector: {{- include "irsa.selector" . | nindent 4 }}
  ports:
    {{- if .port }}
    - {name: {{ .portName }}, port: {{ .port }}, targetPort: {{ .portName }}, protocol: TCP}
    {{- end }}
    - {name: metrics, port: 9999, targetPort: metrics, protocol: TCP}
{{- end }}

{{/* A cert-manager Certificate, and an Issuer where none is named. (root, component, issuerRef, names, secret) */}}
{{- define "irsa.certificate" -}}
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {{- include "irsa.metadata" (merge (dict "name" .secret) .) | nindent 2 }}
spec:
  secretName: {{ .secret }}
  dnsNames: {{- toYaml .names | nindent 4 }}
  privateKey: {algorithm: ECDSA, size: 256, rotationPolicy: Always}
  usages: [digital signature, server auth]
  issuerRef: {{- toYaml (.issuerRef | default (dict "kind" "Issuer" "name" (printf "irsa-%s" .component))) | nindent 4 }}
{{- if not .issuerRef }}
---
apiVersion: cert-manager.io/v1
kind: Issuer
metadata: {{- include "irsa.metadata" . | nindent 2 }}
spec:
  selfSigned: {}
{{- end }}
{{- end }}

{{/* A role binding of a component's ServiceAccount. (root, component, kind: Role or ClusterRole) */}}
{{- define "irsa.subject" -}}
subjects:
  - {kind: ServiceAccount, name: irsa-{{ .component }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}

{{/* The one right of those that read the API server's discovery documents. (root, component) */}}
{{- define "irsa.discoveryBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{- include "irsa.clusterMetadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: system:service-account-issuer-discovery
{{ include "irsa.subject" . }}
{{- end }}
