{{- /*
PostgreSQL as its clients see it, in every postgres.mode. A role is `owner`, `writer`, `reader`,
`verifier` or `student`; templates that ask for one take (dict "root" $ "role" "writer"), the others take $. Each role's
secret is one of type basic-auth: username and password.
*/ -}}

{{- define "clickstream.postgres.cluster" -}}
{{- printf "%s-postgres" .Release.Name -}}
{{- end -}}

{{- define "clickstream.postgres.host" -}}
{{- if eq .Values.postgres.mode "cnpg" -}}
{{- printf "%s-rw" (include "clickstream.postgres.cluster" .) -}}
{{- else -}}
{{- .Values.postgres.external.host -}}
{{- end -}}
{{- end -}}

{{- define "clickstream.postgres.port" -}}
{{- if eq .Values.postgres.mode "cnpg" -}}5432{{- else -}}{{- .Values.postgres.external.port | int -}}{{- end -}}
{{- end -}}

{{- define "clickstream.postgres.database" -}}
{{- if eq .Values.postgres.mode "cnpg" -}}clickstream{{- else -}}{{- .Values.postgres.external.database -}}{{- end -}}
{{- end -}}

{{- define "clickstream.postgres.sslmode" -}}
{{- if eq .Values.postgres.mode "cnpg" -}}verify-full{{- else -}}{{- .Values.postgres.external.sslmode -}}{{- end -}}
{{- end -}}

{{- /* Secret with ca.crt; empty if the server's certificate is not checked. */ -}}
{{- define "clickstream.postgres.caSecret" -}}
{{- if eq .Values.postgres.mode "cnpg" -}}
{{- printf "%s-ca" (include "clickstream.postgres.cluster" .) -}}
{{- else -}}
{{- .Values.postgres.external.existingCaSecret -}}
{{- end -}}
{{- end -}}

{{- define "clickstream.postgres.secret" -}}
{{- if eq .root.Values.postgres.mode "cnpg" -}}
{{- default (printf "%s-%s" (include "clickstream.postgres.cluster" .root) .role) (index .root.Values.postgres.cnpg .role).existingSecret -}}
{{- else -}}
{{- (index .root.Values.postgres.external .role).existingSecret -}}
{{- end -}}
{{- end -}}

{{- /* Whether the migrations make the logins of writer, reader, verifier and student, or the database operator. */ -}}
{{- define "clickstream.postgres.makesLogins" -}}
{{- if eq .Values.postgres.mode "external" -}}true{{- end -}}
{{- end -}}

{{- /* Volumes postgres-ROLE (files username and password), and postgres-ca (ca.crt) if needed. */ -}}
{{- define "clickstream.postgres.volumes" -}}
- name: postgres-{{ .role }}
  secret:
    secretName: {{ include "clickstream.postgres.secret" . }}
    defaultMode: 0440
    items: [{key: username, path: username}, {key: password, path: password}]
{{- end -}}

{{- define "clickstream.postgres.caVolume" -}}
{{- with include "clickstream.postgres.caSecret" . }}
- name: postgres-ca
  secret:
    secretName: {{ . }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end -}}

{{- define "clickstream.postgres.mounts" -}}
- {name: postgres-{{ .role }}, mountPath: /etc/postgres-{{ .role }}, readOnly: true}
{{- end -}}

{{- define "clickstream.postgres.caMount" -}}
{{- if include "clickstream.postgres.caSecret" . }}
- {name: postgres-ca, mountPath: /etc/postgres-ca, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Settings of a client, by name, as YAML. */ -}}
{{- define "clickstream.postgres.settings" -}}
POSTGRES_HOST: {{ include "clickstream.postgres.host" .root | quote }}
POSTGRES_PORT: {{ include "clickstream.postgres.port" .root | quote }}
POSTGRES_DATABASE: {{ include "clickstream.postgres.database" .root | quote }}
POSTGRES_SSLMODE: {{ include "clickstream.postgres.sslmode" .root }}
POSTGRES_USER_FILE: /etc/postgres-{{ .role }}/username
POSTGRES_PASSWORD_FILE: /etc/postgres-{{ .role }}/password
{{- if include "clickstream.postgres.caSecret" .root }}
POSTGRES_CA_FILE: /etc/postgres-ca/ca.crt
{{- end }}
{{- end -}}
