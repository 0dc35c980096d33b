{{- /*
Compare values that cannot change in place with the release's objects in the cluster. Refuse a change
with a message before anything is sent, because the operators would apply half of it: Strimzi gives
brokers that lose the controller role a second quorum with empty metadata, and still reports Ready.
`helm template` cannot read the cluster, and compares nothing.
https://strimzi.io/docs/operators/latest/deploying#limitations_with_static_controller_quorums
*/ -}}
{{- define "clickstream.checkUpgrade" -}}
{{- $found := include "clickstream.upgrade.refusals" . | trim -}}
{{- if $found -}}
{{- fail (printf "this release cannot be changed in place:\n%s\nKeep the values as they are, or install a second release and move the data: docs/install.md, \"Growing\"" $found) -}}
{{- end -}}
{{- end -}}

{{- define "clickstream.upgrade.refusals" -}}
{{- if eq .Values.kafka.mode "strimzi" -}}
{{- include "clickstream.upgrade.pools" . }}
{{ include "clickstream.upgrade.topics" . }}
{{- end }}
{{- if eq .Values.postgres.mode "cnpg" }}
{{ include "clickstream.upgrade.postgres" . }}
{{- end }}
{{- if and (ne .Values.spark.mode "none") (not .Values.streaming.checkpoint.existingClaim) }}
{{ include "clickstream.upgrade.checkpoint" . }}
{{- end -}}
{{- end -}}

{{- define "clickstream.upgrade.pools" -}}
{{- $kafka := .Values.kafka.strimzi -}}
{{- $separate := int64 $kafka.controllers.replicas -}}
{{- range $name, $wanted := dict "brokers" $kafka.brokers "controllers" $kafka.controllers -}}
{{- $pool := lookup "kafka.strimzi.io/v1" "KafkaNodePool" $.Release.Namespace $name -}}
{{- if and $pool (eq (dig "labels" "strimzi.io/cluster" "" $pool.metadata) $.Release.Name) -}}
{{- $is := $pool.spec -}}
{{- $controls := has "controller" $is.roles -}}
{{- if and (eq $name "brokers") $controls $separate }}
- kafka.strimzi.controllers.replicas is {{ $separate }}, but the brokers of this release are controllers too, and Kafka cannot move that role: keep kafka.strimzi.controllers.replicas=0
{{- else if and (eq $name "brokers") (not $controls) (not $separate) }}
- kafka.strimzi.controllers.replicas is 0, but this release has separate controllers, and Kafka cannot move that role to its brokers: keep kafka.strimzi.controllers.replicas as it was
{{- else if and $controls (ne (int64 $is.replicas) (int64 $wanted.replicas)) }}
- kafka.strimzi.{{ $name }}.replicas is {{ int64 $wanted.replicas }}, but this release has {{ int64 $is.replicas }}, which are controllers, and their number is fixed when Kafka is first installed
{{- end -}}
{{- range $volume := dig "storage" "volumes" list $is }}
{{- include "clickstream.upgrade.storage" (dict "path" (printf "kafka.strimzi.%s.storage" $name) "wanted" $wanted.storage "size" $volume.size "class" (default "" $volume.class)) }}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "clickstream.upgrade.topics" -}}
{{- $replicas := int64 .Values.kafka.strimzi.replicationFactor -}}
{{- range $text := splitList "\n---\n" (.Files.Get "topics.yaml") -}}
{{- $topic := fromYaml $text -}}
{{- $is := lookup "kafka.strimzi.io/v1" "KafkaTopic" $.Release.Namespace $topic.metadata.name -}}
{{- if and $is (eq (dig "labels" "strimzi.io/cluster" "" $is.metadata) $.Release.Name) -}}
{{- $partitions := include "clickstream.kafka.partitions" (dict "root" $ "topic" $topic) | int64 -}}
{{- if and (hasKey $is.spec "partitions") (lt $partitions (int64 $is.spec.partitions)) }}
- topic {{ $topic.metadata.name }} would have {{ $partitions }} partitions, but it has {{ int64 $is.spec.partitions }}, and partitions are never taken away: raise {{ if hasPrefix "clickstream.shards." $topic.metadata.name }}generator.statePartitions{{ else }}streaming.eventsPartitions{{ end }}
{{- end -}}
{{- if and (hasKey $is.spec "replicas") (ne $replicas (int64 $is.spec.replicas)) }}
- kafka.strimzi.replicationFactor is {{ $replicas }}, but topic {{ $topic.metadata.name }} has {{ int64 $is.spec.replicas }} copies, and Strimzi changes that only with Cruise Control
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "clickstream.upgrade.postgres" -}}
{{- $wanted := .Values.postgres.cnpg -}}
{{- $name := include "clickstream.postgres.cluster" . -}}
{{- $cluster := lookup "postgresql.cnpg.io/v1" "Cluster" .Release.Namespace $name -}}
{{- if $cluster -}}
{{- $is := $cluster.spec -}}
{{- include "clickstream.upgrade.synchronous" (dict "wanted" $wanted "cluster" $cluster) }}
{{ include "clickstream.upgrade.storage" (dict "path" "postgres.cnpg.storage" "wanted" $wanted.storage "size" $is.storage.size "class" (default "" $is.storage.storageClass)) }}
{{- if and (hasKey $is "walStorage") (not $wanted.walStorage.size) }}
- postgres.cnpg.walStorage.size is empty, but this release has a volume of its own for the log, which CloudNativePG never takes away: keep the size
{{- else if hasKey $is "walStorage" }}
{{- include "clickstream.upgrade.storage" (dict "path" "postgres.cnpg.walStorage" "wanted" $wanted.walStorage "size" $is.walStorage.size "class" (default "" $is.walStorage.storageClass)) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /*
With `required`, every commit waits for the other instances at once, also for those that CloudNativePG
is still copying; a copy begins with a checkpoint, which may take checkpoint_timeout.
(dict "wanted" VALUES "cluster" CLUSTER)
*/ -}}
{{- define "clickstream.upgrade.synchronous" -}}
{{- $wanted := ternary (int64 .wanted.synchronous.number) 0 (eq .wanted.synchronous.dataDurability "required") -}}
{{- $is := dig "postgresql" "synchronous" dict .cluster.spec -}}
{{- $required := ternary (dig "number" 0 $is | int64) 0 (eq (dig "dataDurability" "required" $is) "required") -}}
{{- $others := sub (dig "status" "readyInstances" 0 .cluster | int64) 1 | max 0 -}}
{{- if and (gt $wanted $required) (lt $others $wanted) }}
- postgres.cnpg.synchronous.number is {{ $wanted }} and required, but this release has {{ $others }} ready beside the primary, and no batch could be written until there are enough: first upgrade with postgres.cnpg.synchronous.dataDurability=preferred, and require them once all are ready (docs/operations.md, "Scaling")
{{- end -}}
{{- end -}}

{{- define "clickstream.upgrade.checkpoint" -}}
{{- $claim := lookup "v1" "PersistentVolumeClaim" .Release.Namespace (include "clickstream.streaming.claim" .) -}}
{{- if $claim -}}
{{- $wanted := .Values.streaming.checkpoint -}}
{{- $class := $wanted.storageClass | default (dig "storageClassName" "" $claim.spec) -}}
{{- include "clickstream.upgrade.storage" (dict "path" "streaming.checkpoint" "wanted" (dict "size" $wanted.size "storageClass" $class) "size" $claim.spec.resources.requests.storage "class" (dig "storageClassName" "" $claim.spec)) }}
{{- end -}}
{{- end -}}

{{- /* A volume's class and size: (dict "path" P "wanted" (dict "size" "storageClass") "size" S "class" C). */ -}}
{{- define "clickstream.upgrade.storage" -}}
{{- if ne (default "" .wanted.storageClass) .class }}
- {{ .path }}.storageClass is {{ .wanted.storageClass | quote }}, but this release's volumes are of class {{ .class | quote }}, and a claim keeps its class
{{- end -}}
{{- if lt (include "clickstream.bytes" .wanted.size | float64) (include "clickstream.bytes" .size | float64) }}
- {{ .path }}.size is {{ .wanted.size }}, but this release's volumes have {{ .size }}, and a claim never shrinks
{{- end -}}
{{- end -}}

{{- /* A quantity of Kubernetes', in bytes: 5Gi is 5368709120. */ -}}
{{- define "clickstream.bytes" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9.]+" $text -}}
{{- mulf ($number | float64) (index $units (trimPrefix $number $text) | float64) -}}
{{- end -}}
