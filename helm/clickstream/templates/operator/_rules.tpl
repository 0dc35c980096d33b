{{- /* Where the operator works, as JSON: names, or * for the whole cluster. */ -}}
{{- define "clickstream.operator.namespaces" -}}
{{- default (list .Release.Namespace) .Values.operator.namespaces | toJson -}}
{{- end -}}

{{- /* The operator's rights: simulations and their children, without a wildcard. */ -}}
{{- define "clickstream.rules" -}}
- apiGroups: [clickstream.dev]
  resources: [clickstreamsimulations]
  verbs: [list, watch]
- apiGroups: [clickstream.dev]
  resources: [clickstreamsimulations/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [configmaps, services]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
# The label with which a secret's owner lets simulations use it; the operator reads only metadata.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list, watch, create, patch, delete]
- apiGroups: [monitoring.coreos.com]
  resources: [podmonitors]
  verbs: [list, watch, create, patch, delete]
{{- end -}}
