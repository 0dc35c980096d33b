{{- /* Where the operator works, as JSON: names, or * for the whole cluster. */ -}}
{{- define "clickstream.operator.namespaces" -}}
{{- default (list .Release.Namespace) .Values.operator.namespaces | toJson -}}
{{- end -}}

{{- /* What the operator may do: simulations and what they are made of; no wildcard. */ -}}
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
# Whether the owner of a secret lets simulations use it: the operator fetches only its metadata.
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
