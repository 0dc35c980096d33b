{{- /* Of a component: (dict "root" $ "component" "streaming"). */ -}}
{{- define "clickstream.name" -}}
{{- printf "%s-%s" .root.Release.Name .component | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "clickstream.selectorOf" -}}
app.kubernetes.io/name: clickstream-{{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- /* Labels of objects; not of anything whose change would restart a stream. */ -}}
{{- define "clickstream.labelsOf" -}}
{{ include "clickstream.selectorOf" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: clickstream
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "clickstream.operator" -}}
{{- include "clickstream.name" (dict "root" . "component" "operator") -}}
{{- end -}}

{{- define "clickstream.selector" -}}
{{- include "clickstream.selectorOf" (dict "root" . "component" "operator") -}}
{{- end -}}

{{- define "clickstream.labels" -}}
{{- include "clickstream.labelsOf" (dict "root" . "component" "operator") -}}
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
