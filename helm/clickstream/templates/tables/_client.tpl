{{- /* A container that connects to the tables, as owner, reader or verifier: (dict "root" $ "role" "reader" "arguments" (list "verify")). */ -}}
{{- define "clickstream.tables.container" -}}
{{- $client := dict "root" .root "role" .role -}}
image: {{ include "clickstream.streaming.image" .root | quote }}
imagePullPolicy: {{ .root.Values.streaming.image.pullPolicy }}
args: {{ .arguments | toJson }}
resources:
  requests: {cpu: 50m, memory: 128Mi}
  limits: {cpu: "1", memory: 512Mi}
securityContext:
  {{- include "clickstream.containerSecurity" .root | nindent 2 }}
volumeMounts:
  {{- include "clickstream.postgres.mounts" $client | nindent 2 }}
  {{- include "clickstream.postgres.caMount" .root | nindent 2 }}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "clickstream.tables.environment" -}}
{{- include "clickstream.environment" (dict "prefix" "CLICKSTREAM_STREAMING_" "settings" (include "clickstream.postgres.settings" .)) }}
{{- end -}}

{{- define "clickstream.tables.volumes" -}}
{{ include "clickstream.postgres.volumes" . }}
{{- include "clickstream.postgres.caVolume" .root }}
- name: tmp
  emptyDir: {sizeLimit: 16Mi}
{{- end -}}
