{{- /*
All names begin with the release's. The shortest limit is CloudNativePG's: 50 characters for a cluster,
RELEASE-postgres. All Services, also of the operators, begin with a letter and have no dots.
*/ -}}
{{- define "clickstream.checkName" -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]{0,40}$" .Release.Name) -}}
{{- fail (printf "the release's name %q has %d characters; it must begin with a letter, have only a-z, 0-9 and -, and at most 41 characters, since Services and databases are named after it" .Release.Name (len .Release.Name)) -}}
{{- end -}}
{{- end -}}

{{- /* Of a component: (dict "root" $ "component" "streaming"). */ -}}
{{- define "clickstream.name" -}}
{{- printf "%s-%s" .root.Release.Name .component -}}
{{- end -}}

{{- define "clickstream.selectorOf" -}}
app.kubernetes.io/name: clickstream-{{ .component }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- /* Labels of objects, except those whose change would restart a stream. */ -}}
{{- define "clickstream.labelsOf" -}}
{{ include "clickstream.selectorOf" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: clickstream
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- /* Grafana's name for the release's tables: at most 40 characters, and unique for each release. */ -}}
{{- define "clickstream.grafana.source" -}}
{{- $name := printf "%s-%s" .Release.Namespace .Release.Name -}}
{{- if gt (len $name) 40 -}}
{{- $name = printf "%s-%s" (trunc 31 $name) ($name | sha256sum | trunc 8) -}}
{{- end -}}
{{- $name -}}
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
