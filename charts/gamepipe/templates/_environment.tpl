{{- /* What `gamepipe operator run` is told, all of it in variables. */ -}}
{{- define "gamepipe.port" -}}
8081
{{- end -}}

{{- define "gamepipe.environment" -}}
- name: GAMEPIPE_OPERATOR_LISTEN
  value: 0.0.0.0:{{ include "gamepipe.port" . }}
{{- if .Values.watchAllNamespaces }}
{{- $_ := include "gamepipe.namespaces" . }}
- name: GAMEPIPE_OPERATOR_ALL_NAMESPACES
  value: "true"
{{- else }}
- name: GAMEPIPE_OPERATOR_NAMESPACES
  value: {{ join "," (include "gamepipe.namespaces" . | fromJson).all | quote }}
{{- end }}
- name: GAMEPIPE_IMAGE
  value: {{ include "gamepipe.pipelineImage" . | quote }}
- name: GAMEPIPE_KAFKA_IMAGE
  value: {{ include "gamepipe.image" (dict "image" .Values.defaultImages.kafka "tag" "" "path" "defaultImages.kafka") | quote }}
- name: GAMEPIPE_REDIS_IMAGE
  value: {{ include "gamepipe.image" (dict "image" .Values.defaultImages.redis "tag" "" "path" "defaultImages.redis") | quote }}
- name: GAMEPIPE_OPERATOR_RESYNC_SECONDS
  value: {{ .Values.operator.resyncSeconds | quote }}
- name: GAMEPIPE_OPERATOR_CONCURRENCY
  value: {{ .Values.operator.concurrency | quote }}
{{- if include "gamepipe.elects" . }}
- name: GAMEPIPE_OPERATOR_LEASE
  value: {{ include "gamepipe.operator" . }}
{{- end }}
- name: GAMEPIPE_LOG
  value: {{ .Values.log.filter | quote }}
- name: GAMEPIPE_LOG_FORMAT
  value: {{ .Values.log.format }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}
