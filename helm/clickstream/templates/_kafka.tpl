{{- /*
Kafka as its clients see it, in every kafka.mode. A client is `generator` or `streaming`; templates
that ask for one take (dict "root" $ "client" "streaming"), the others take $.
*/ -}}

{{- define "clickstream.kafka.bootstrapServers" -}}
{{- if eq .Values.kafka.mode "strimzi" -}}
{{- printf "%s-kafka-bootstrap:9093" .Release.Name -}}
{{- else -}}
{{- .Values.kafka.external.bootstrapServers -}}
{{- end -}}
{{- end -}}

{{- /* Secret with ca.crt; empty if the broker's certificate is not checked, without TLS. */ -}}
{{- define "clickstream.kafka.caSecret" -}}
{{- if eq .Values.kafka.mode "strimzi" -}}
{{- printf "%s-cluster-ca-cert" .Release.Name -}}
{{- else -}}
{{- .Values.kafka.external.existingCaSecret -}}
{{- end -}}
{{- end -}}

{{- /* Secret with the client's password; empty without SASL. */ -}}
{{- define "clickstream.kafka.userSecret" -}}
{{- if eq .root.Values.kafka.mode "strimzi" -}}
{{- printf "%s-%s" .root.Release.Name .client -}}
{{- else -}}
{{- .root.Values.kafka.external.existingSecret -}}
{{- end -}}
{{- end -}}

{{- /*
The client's name if it is not in the secret: a Strimzi user has the name of the secret.
Empty if the secret has a key `username`.
*/ -}}
{{- define "clickstream.kafka.userName" -}}
{{- if eq .root.Values.kafka.mode "strimzi" -}}
{{- include "clickstream.kafka.userSecret" . -}}
{{- end -}}
{{- end -}}

{{- define "clickstream.kafka.saslMechanism" -}}
{{- if eq .Values.kafka.mode "strimzi" -}}
SCRAM-SHA-512
{{- else -}}
{{- .Values.kafka.external.saslMechanism -}}
{{- end -}}
{{- end -}}

{{- /* Kafka's security.protocol. */ -}}
{{- define "clickstream.kafka.securityProtocol" -}}
{{- $user := include "clickstream.kafka.userSecret" (dict "root" . "client" "streaming") -}}
{{- $authority := include "clickstream.kafka.caSecret" . -}}
{{- if and $user $authority -}}SASL_SSL{{- else if $user -}}SASL_PLAINTEXT{{- else if $authority -}}SSL{{- else -}}PLAINTEXT{{- end -}}
{{- end -}}

{{- /* Volumes kafka-user (files username and password) and kafka-ca (ca.crt), as they are needed. */ -}}
{{- define "clickstream.kafka.volumes" -}}
{{- $secret := include "clickstream.kafka.userSecret" . -}}
{{- $authority := include "clickstream.kafka.caSecret" .root -}}
{{- if $secret }}
- name: kafka-user
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ $secret }}
          items:
            - {key: password, path: password}
            {{- if not (include "clickstream.kafka.userName" .) }}
            - {key: username, path: username}
            {{- end }}
      {{- if include "clickstream.kafka.userName" . }}
      - downwardAPI:
          items:
            - path: username
              fieldRef: {fieldPath: "metadata.annotations['clickstream.dev/kafka-user']"}
      {{- end }}
{{- end }}
{{- if $authority }}
- name: kafka-ca
  secret:
    secretName: {{ $authority }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end -}}

{{- /* The pod's annotations that the volumes need. */ -}}
{{- define "clickstream.kafka.annotations" -}}
{{- with include "clickstream.kafka.userName" . -}}
clickstream.dev/kafka-user: {{ . }}
{{- end -}}
{{- end -}}

{{- define "clickstream.kafka.mounts" -}}
{{- if include "clickstream.kafka.userSecret" . }}
- {name: kafka-user, mountPath: /etc/kafka-user, readOnly: true}
{{- end }}
{{- if include "clickstream.kafka.caSecret" .root }}
- {name: kafka-ca, mountPath: /etc/kafka-ca, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Settings of the stream and of a generator alike, by name, as YAML. */ -}}
{{- define "clickstream.kafka.settings" -}}
BOOTSTRAP_SERVERS: {{ include "clickstream.kafka.bootstrapServers" .root | quote }}
SECURITY_PROTOCOL: {{ include "clickstream.kafka.securityProtocol" .root }}
{{- if include "clickstream.kafka.userSecret" . }}
USERNAME_FILE: /etc/kafka-user/username
PASSWORD_FILE: /etc/kafka-user/password
SASL_MECHANISM: {{ include "clickstream.kafka.saslMechanism" .root }}
{{- end }}
{{- if include "clickstream.kafka.caSecret" .root }}
CA_FILE: /etc/kafka-ca/ca.crt
{{- end }}
{{- end -}}
