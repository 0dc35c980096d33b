{{- /* Where the operator works, as JSON: names, or * for the whole cluster. */ -}}
{{- define "clickstream.operator.namespaces" -}}
{{- default (list .Release.Namespace) .Values.operator.namespaces | toJson -}}
{{- end -}}

{{- /* The database that verifications read, as JSON; empty without one. The reader's login has limits on
long transactions. */ -}}
{{- define "clickstream.operator.database" -}}
{{- if ne .Values.postgres.mode "none" -}}
{{- $row := dict
  "host" (include "clickstream.postgres.host" .)
  "port" (include "clickstream.postgres.port" . | int)
  "name" (include "clickstream.postgres.database" .)
  "sslmode" (include "clickstream.postgres.sslmode" .)
  "secret" (include "clickstream.postgres.secret" (dict "root" . "role" "verifier"))
  "caSecret" (include "clickstream.postgres.caSecret" .)
  "keepsDays" (.Values.streaming.rawRetentionDays | int)
-}}
{{- toJson $row -}}
{{- end -}}
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
- apiGroups: [batch]
  resources: [jobs]
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
