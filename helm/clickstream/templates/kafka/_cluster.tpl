{{- /* The clients of Kafka's listener: those of the release, and the workers in its namespace. */ -}}
{{- define "clickstream.kafka.peers" -}}
- podSelector:
    matchExpressions:
      - {key: app.kubernetes.io/part-of, operator: In, values: [clickstream]}
{{- end -}}

{{- define "clickstream.kafka.volume" -}}
type: jbod
volumes:
  - id: 0
    type: persistent-claim
    size: {{ .size }}
    {{- with .storageClass }}
    class: {{ . }}
    {{- end }}
    # Claims outlive the cluster; a new cluster with the same name uses them again.
    deleteClaim: false
    kraftMetadata: shared
{{- end -}}

{{- /* Spread the brokers of a pool over nodes and zones, if there are several. */ -}}
{{- define "clickstream.kafka.placement" -}}
pod:
  enableServiceLinks: false
  terminationGracePeriodSeconds: 120
  topologySpreadConstraints:
    {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          strimzi.io/cluster: {{ $.root.Release.Name }}
          strimzi.io/pool-name: {{ $.pool }}
    {{- end }}
{{- end -}}

{{- /* Partitions of one of the chart's topics: (dict "root" $ "topic" TOPIC). */ -}}
{{- define "clickstream.kafka.partitions" -}}
{{- $events := int64 .root.Values.streaming.eventsPartitions -}}
{{- if and (hasPrefix "clickstream.events." .topic.metadata.name) $events -}}
{{- $events -}}
{{- else if hasPrefix "clickstream.shards." .topic.metadata.name -}}
{{- int64 .root.Values.generator.statePartitions -}}
{{- else -}}
{{- int64 .topic.spec.partitions -}}
{{- end -}}
{{- end -}}

{{- define "clickstream.kafka.pool" -}}
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata:
  name: {{ .pool }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "clickstream.labelsOf" (dict "root" .root "component" "kafka") | nindent 4 }}
    strimzi.io/cluster: {{ .root.Release.Name }}
  annotations: {helm.sh/resource-policy: keep}
spec:
  replicas: {{ .values.replicas | int }}
  roles: {{ .roles | toJson }}
  storage:
    {{- include "clickstream.kafka.volume" .values.storage | nindent 4 }}
  resources:
    {{- toYaml .values.resources | nindent 4 }}
  jvmOptions:
    "-Xms": {{ printf "%dm" (.values.heapMiB | int) }}
    "-Xmx": {{ printf "%dm" (.values.heapMiB | int) }}
  template:
    {{- include "clickstream.kafka.placement" . | nindent 4 }}
{{- end -}}
