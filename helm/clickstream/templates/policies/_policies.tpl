{{- /* Egress rules of several policies; each takes $. */ -}}

{{- define "clickstream.policy.toNames" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end -}}

{{- define "clickstream.policy.toApiServer" -}}
- ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - {protocol: TCP, port: {{ int64 . }}}
    {{- end }}
{{- end -}}

{{- define "clickstream.policy.toKafka" -}}
{{- if eq .Values.kafka.mode "strimzi" }}
- to:
    - podSelector:
        matchLabels: {strimzi.io/cluster: {{ .Release.Name }}}
  ports: [{protocol: TCP, port: 9093}]
{{- else }}
- ports:
    {{- range $port := splitList "," .Values.kafka.external.bootstrapServers | uniq }}
    - {protocol: TCP, port: {{ splitList ":" $port | last }}}
    {{- end }}
{{- end }}
{{- end -}}

{{- define "clickstream.policy.toPostgres" -}}
{{- if eq .Values.postgres.mode "cnpg" }}
- to:
    - podSelector:
        matchLabels: {cnpg.io/cluster: {{ include "clickstream.postgres.cluster" . }}}
  ports: [{protocol: TCP, port: 5432}]
{{- else }}
- ports: [{protocol: TCP, port: {{ include "clickstream.postgres.port" . }}}]
{{- end }}
{{- end -}}

{{- /* Namespaces by their names, for a peer of a policy: a list. */ -}}
{{- define "clickstream.policy.namespaces" -}}
namespaceSelector:
  matchExpressions:
    - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
{{- end -}}

{{- /* The first part of a component's policy: (dict "root" $ "component" NAME). */ -}}
{{- define "clickstream.policy.of" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "clickstream.name" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "clickstream.labelsOf" . | nindent 4 }}
spec:
  policyTypes: [Ingress, Egress]
{{- end -}}
