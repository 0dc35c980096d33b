{{- /* The security of every pod: no privilege, a token only on request, a read-only root. */ -}}
{{- define "clickstream.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "clickstream.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /*
A value as text. Helm reads every number of the values as a float, and prints a large one as 2e+06,
which no client reads as a whole number.
*/ -}}
{{- define "clickstream.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . -}}{{- int64 . -}}{{- else -}}{{- . -}}{{- end -}}
{{- else -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{- /* Settings as YAML into environment variables: (dict "prefix" "CLICKSTREAM_X_" "settings" TEXT). */ -}}
{{- define "clickstream.environment" -}}
{{- $prefix := .prefix -}}
{{- range $name, $value := fromYaml .settings }}
- {name: {{ $prefix }}{{ $name }}, value: {{ include "clickstream.text" $value | quote }}}
{{- end }}
{{- end -}}
