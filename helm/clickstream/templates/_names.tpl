{{- define "clickstream.operator" -}}
{{- printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "clickstream.selector" -}}
app.kubernetes.io/name: clickstream-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "clickstream.labels" -}}
{{ include "clickstream.selector" . }}
app.kubernetes.io/part-of: clickstream
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* An image with its digest, its tag, or the chart's version. */ -}}
{{- define "clickstream.image" -}}
{{- $image := .image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .version $image.tag) -}}
{{- end -}}
{{- end -}}
