{{- /* Modes and values that contradict each other fail, each with a message. */ -}}
{{- define "clickstream.checkModes" -}}
{{- include "clickstream.checkName" . -}}
{{- $kafka := .Values.kafka -}}
{{- $postgres := .Values.postgres -}}
{{- $streams := ne .Values.spark.mode "none" -}}
{{- include "clickstream.checkKinds" . -}}
{{- if eq $kafka.mode "strimzi" -}}
{{- $own := $kafka.strimzi -}}
{{- if gt ($own.replicationFactor | int) ($own.brokers.replicas | int) -}}
{{- fail (printf "kafka.strimzi.replicationFactor is %v, but kafka.strimzi.brokers.replicas only %v: a topic's copies need a broker each" (int64 $own.replicationFactor) (int64 $own.brokers.replicas)) -}}
{{- end -}}
{{- if gt ($own.minInSyncReplicas | int) ($own.replicationFactor | int) -}}
{{- fail (printf "kafka.strimzi.minInSyncReplicas is %v, but kafka.strimzi.replicationFactor only %v: no record could ever be sent" (int64 $own.minInSyncReplicas) (int64 $own.replicationFactor)) -}}
{{- end -}}
{{- end -}}
{{- if eq $postgres.mode "cnpg" -}}
{{- $own := $postgres.cnpg -}}
{{- if ge ($own.synchronous.number | int) ($own.instances | int) -}}
{{- fail (printf "postgres.cnpg.synchronous.number is %v, but there are only %v other instances: no batch could ever be written" (int64 $own.synchronous.number) (sub (int64 $own.instances) 1)) -}}
{{- end -}}
{{- if and $own.backup.enabled (not $own.backup.destinationPath) -}}
{{- fail "postgres.cnpg.backup.enabled needs postgres.cnpg.backup.destinationPath, such as s3://backups/clickstream" -}}
{{- end -}}
{{- end -}}
{{- if and (eq $kafka.mode "strimzi") $kafka.external.bootstrapServers -}}
{{- fail "kafka.external.bootstrapServers names a Kafka, but kafka.mode is strimzi; to use yours, say kafka.mode=external" -}}
{{- end -}}
{{- if and (eq $kafka.mode "external") $kafka.external.existingSecret (not $kafka.external.existingCaSecret) (not $kafka.saslWithoutTls) -}}
{{- fail "kafka.external.existingSecret would go to Kafka without TLS: name a secret with ca.crt in kafka.external.existingCaSecret, or say kafka.saslWithoutTls=true" -}}
{{- end -}}
{{- if and (has "*" .Values.operator.namespaces) (gt (len .Values.operator.namespaces) 1) -}}
{{- fail "operator.namespaces has * and other names: * alone means the whole cluster" -}}
{{- end -}}
{{- if and $streams (eq $kafka.mode "external") (not $kafka.external.bootstrapServers) -}}
{{- fail "kafka.mode is external, so the stream needs kafka.external.bootstrapServers; without a stream, say spark.mode=none" -}}
{{- end -}}
{{- if and (eq $postgres.mode "cnpg") $postgres.external.host -}}
{{- fail "postgres.external.host names a database, but postgres.mode is cnpg; to use yours, say postgres.mode=external" -}}
{{- end -}}
{{- if and (ne $postgres.mode "cnpg") $postgres.cnpg.backup.enabled -}}
{{- fail (printf "postgres.cnpg.backup.enabled is about the database that the chart makes, but postgres.mode is %s: back up yours by its own means" $postgres.mode) -}}
{{- end -}}
{{- if and (eq $kafka.mode "strimzi") (or $kafka.external.existingSecret $kafka.external.existingCaSecret) -}}
{{- fail "kafka.external.existingSecret and existingCaSecret belong to a Kafka of yours, but kafka.mode is strimzi; to use yours, say kafka.mode=external" -}}
{{- end -}}
{{- if and $streams (eq $postgres.mode "none") -}}
{{- fail "the stream needs a database: postgres.mode=none goes with spark.mode=none only" -}}
{{- end -}}
{{- if and (not $streams) (ne $postgres.mode "none") -}}
{{- fail "without a stream nothing would use the database: spark.mode=none goes with postgres.mode=none only" -}}
{{- end -}}
{{- if and .Values.console.enabled (eq $postgres.mode "none") -}}
{{- fail "the console shows the tables of a database: console.enabled goes with postgres.mode=cnpg or external" -}}
{{- end -}}
{{- if and $postgres.studentLogin (eq $postgres.mode "none") -}}
{{- fail "students read tables: postgres.studentLogin goes with postgres.mode=cnpg or external" -}}
{{- end -}}
{{- range $mode := list "cnpg" "external" -}}
{{- if and (index $postgres $mode).student.existingSecret (not $postgres.studentLogin) -}}
{{- fail (printf "postgres.%s.student.existingSecret names a login that nobody makes: say postgres.studentLogin=true" $mode) -}}
{{- end -}}
{{- end -}}
{{- if eq $postgres.mode "external" -}}
{{- if not $postgres.external.host -}}
{{- fail "postgres.mode is external, so postgres.external.host must be set" -}}
{{- end -}}
{{- $roles := list "owner" "writer" "reader" "verifier" -}}
{{- if $postgres.studentLogin -}}
{{- $roles = append $roles "student" -}}
{{- end -}}
{{- range $role := $roles -}}
{{- if not (index $postgres.external $role).existingSecret -}}
{{- fail (printf "postgres.mode is external, so postgres.external.%s.existingSecret must name a secret with username and password" $role) -}}
{{- end -}}
{{- end -}}
{{- if and (has $postgres.external.sslmode (list "verify-ca" "verify-full")) (not $postgres.external.existingCaSecret) -}}
{{- fail (printf "postgres.external.sslmode is %s, so postgres.external.existingCaSecret must name a secret with ca.crt" $postgres.external.sslmode) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
If a mode needs a kind that the cluster does not have, name the kind and the command that installs it.
(dict "root" $ "for" VALUE "group" API "name" WHOSE)
*/ -}}
{{- define "clickstream.checkKind" -}}
{{- if not (.root.Capabilities.APIVersions.Has .group) -}}
{{- fail (printf "%s needs the kinds of %s, which this cluster does not know. Install the operators first: helm dependency update helm/clickstream-operators && helm install clickstream-operators helm/clickstream-operators -n clickstream-operators --create-namespace --wait%s" .for .group (default "" .more)) -}}
{{- end -}}
{{- end -}}

{{- define "clickstream.checkKinds" -}}
{{- if eq .Values.kafka.mode "strimzi" -}}
{{- include "clickstream.checkKind" (dict "root" . "for" "kafka.mode=strimzi" "group" "kafka.strimzi.io/v1") -}}
{{- end -}}
{{- if eq .Values.postgres.mode "cnpg" -}}
{{- include "clickstream.checkKind" (dict "root" . "for" "postgres.mode=cnpg" "group" "postgresql.cnpg.io/v1") -}}
{{- if .Values.postgres.cnpg.backup.enabled -}}
{{- include "clickstream.checkKind" (dict "root" . "for" "postgres.cnpg.backup.enabled" "group" "barmancloud.cnpg.io/v1" "more" " --set plugin-barman-cloud.enabled=true") -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.spark.mode "operator" -}}
{{- include "clickstream.checkKind" (dict "root" . "for" "spark.mode=operator" "group" "sparkoperator.k8s.io/v1beta2") -}}
{{- end -}}
{{- if .Values.podMonitor.enabled -}}
{{- include "clickstream.checkKind" (dict "root" . "for" "podMonitor.enabled" "group" "monitoring.coreos.com/v1") -}}
{{- end -}}
{{- if .Values.monitoring.rules.enabled -}}
{{- include "clickstream.checkKind" (dict "root" . "for" "monitoring.rules.enabled" "group" "monitoring.coreos.com/v1") -}}
{{- end -}}
{{- end -}}
