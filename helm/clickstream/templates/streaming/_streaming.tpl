{{- define "clickstream.streaming" -}}
{{- include "clickstream.name" (dict "root" . "component" "streaming") -}}
{{- end -}}

{{- define "clickstream.streaming.image" -}}
{{- include "clickstream.image" (dict "image" .Values.streaming.image "version" .Chart.AppVersion) -}}
{{- end -}}

{{- define "clickstream.streaming.claim" -}}
{{- default (printf "%s-checkpoint" (include "clickstream.streaming" .)) .Values.streaming.checkpoint.existingClaim -}}
{{- end -}}

{{- /* Settings of the process with Spark's driver, by name, as YAML. */ -}}
{{- define "clickstream.streaming.settings" -}}
{{- $streaming := .Values.streaming -}}
{{ include "clickstream.kafka.settings" (dict "root" . "client" "streaming") }}
{{ include "clickstream.postgres.settings" (dict "root" . "role" "writer") }}
CHECKPOINT_DIR: /var/lib/clickstream/checkpoints
METRICS_HOST: 0.0.0.0
EVENTS_PARTITIONS: {{ $streaming.eventsPartitions | int }}
TRIGGER_MILLISECONDS: {{ $streaming.triggerMilliseconds | int }}
MAX_OFFSETS_PER_TRIGGER: {{ $streaming.maxOffsetsPerTrigger | int }}
WATERMARK_DELAY_SECONDS: {{ $streaming.watermarkDelaySeconds | int }}
RAW_RETENTION_DAYS: {{ $streaming.rawRetentionDays | int }}
OLDEST_EVENT_DAYS: {{ $streaming.oldestEventDays | int }}
REJECTED_PAYLOAD_DAYS: {{ $streaming.rejectedPayloadDays | int }}
REJECTED_RETENTION_DAYS: {{ $streaming.rejectedRetentionDays | int }}
DETAIL_RETENTION_DAYS: {{ $streaming.detailRetentionDays | int }}
{{- end -}}

{{- /* Spark's configuration that does not depend on the mode, by name, as YAML. */ -}}
{{- define "clickstream.streaming.sparkConf" -}}
{{- /* Executors belong to the driver and end with it; Spark needs no other objects. */ -}}
spark.kubernetes.executor.disableConfigMap: "true"
spark.kubernetes.driver.ownPersistentVolumeClaim: "false"
spark.kubernetes.driver.reusePersistentVolumeClaim: "false"
{{- /* A repeated task writes nothing twice; a restart of the broker or the database takes a while. */}}
spark.task.maxFailures: "16"
{{- end -}}

{{- define "clickstream.streaming.executorJava" -}}
-Xss8m -XX:+UseParallelGC
{{- end -}}

{{- /* Labels that select the driver and nothing else. */ -}}
{{- define "clickstream.streaming.driverLabels" -}}
{{ include "clickstream.selectorOf" (dict "root" . "component" "streaming") }}
app.kubernetes.io/component: streaming
app.kubernetes.io/part-of: clickstream
{{- end -}}

{{- /* Labels that select executors and nothing else. */ -}}
{{- define "clickstream.streaming.executorLabels" -}}
{{ include "clickstream.selectorOf" (dict "root" . "component" "streaming-executor") }}
app.kubernetes.io/component: streaming-executor
app.kubernetes.io/part-of: clickstream
{{- end -}}

{{- define "clickstream.streaming.secretMounts" -}}
{{ include "clickstream.kafka.mounts" (dict "root" . "client" "streaming") }}
{{ include "clickstream.postgres.mounts" (dict "root" . "role" "writer") }}
{{- include "clickstream.postgres.caMount" . }}
{{- end -}}

{{- define "clickstream.streaming.secretVolumes" -}}
{{ include "clickstream.kafka.volumes" (dict "root" . "client" "streaming") }}
{{ include "clickstream.postgres.volumes" (dict "root" . "role" "writer") }}
{{- include "clickstream.postgres.caVolume" . }}
{{- end -}}

{{- /* Placement and pull secrets of driver and executors. */ -}}
{{- define "clickstream.streaming.placement" -}}
{{- with .Values.streaming.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.streaming.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.streaming.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /*
An executor's pod: its tasks read Kafka and write PostgreSQL, so it has the same secrets as the
driver; it does not use the API server. (dict "root" $ "container" NAME)
*/ -}}
{{- define "clickstream.streaming.executorPod" -}}
metadata:
  labels:
    {{- include "clickstream.streaming.executorLabels" .root | nindent 4 }}
  {{- with include "clickstream.kafka.annotations" (dict "root" .root "client" "streaming") }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "clickstream.podSecurity" .root | nindent 4 }}
  {{- include "clickstream.streaming.placement" .root | nindent 2 }}
  containers:
    - name: {{ .container }}
      securityContext:
        {{- include "clickstream.containerSecurity" .root | nindent 8 }}
      volumeMounts:
        {{- include "clickstream.streaming.secretMounts" .root | nindent 8 }}
        - {name: tmp, mountPath: /tmp}
  volumes:
    {{- include "clickstream.streaming.secretVolumes" .root | nindent 4 }}
    - name: tmp
      emptyDir: {sizeLimit: 1Gi}
{{- end -}}

{{- /*
The driver's container, without its image and size, which a Spark operator sets, and without a
readiness probe: under the Spark operator, executors find the driver through a service that
publishes only ready addresses, so a driver that waits for executors would never become ready.
*/ -}}
{{- define "clickstream.streaming.driverContainer" -}}
env:
  {{- include "clickstream.environment" (dict "prefix" "CLICKSTREAM_STREAMING_" "settings" (include "clickstream.streaming.settings" .)) | nindent 2 }}
# The process answers /healthz before it starts a JVM.
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "clickstream.containerSecurity" . | nindent 2 }}
{{- end -}}
