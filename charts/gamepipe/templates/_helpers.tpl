{{- /* The chart's name. */ -}}
{{- define "gamepipe.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- /* What names begin with: the release's name, and the chart's unless that is a part of it. */ -}}
{{- define "gamepipe.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "gamepipe.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* The operator's objects. 40 characters of the full name leave room for this and what Deployments add. */ -}}
{{- define "gamepipe.operator" -}}
{{- include "gamepipe.fullname" . }}-operator
{{- end -}}

{{- /* Objects without a namespace: two releases of one name in two namespaces must not share them. */ -}}
{{- define "gamepipe.clusterName" -}}
{{- printf "%s-%s" (include "gamepipe.operator" .) .Release.Namespace -}}
{{- end -}}

{{- define "gamepipe.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gamepipe.operator" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* Selects the operator's pods. They never change, and are not those of a pipeline, whose name is app.kubernetes.io/name: gamepipe. */ -}}
{{- define "gamepipe.selector" -}}
app.kubernetes.io/name: gamepipe-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Of the operator's pods. Nothing in them changes with the chart's version alone. */ -}}
{{- define "gamepipe.podLabels" -}}
{{ include "gamepipe.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: gamepipe
{{- end -}}

{{- define "gamepipe.labels" -}}
{{ include "gamepipe.podLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* The name of an image: of {repository, tag, digest}. A digest is stronger than a tag. */ -}}
{{- define "gamepipe.image" -}}
{{- $tag := .image.tag | default .tag -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ required (printf "%s: give a tag or a digest" .path) $tag }}
{{- end -}}
{{- end -}}

{{- define "gamepipe.operatorImage" -}}
{{- include "gamepipe.image" (dict "image" .Values.image "tag" .Chart.AppVersion "path" "image") -}}
{{- end -}}

{{- define "gamepipe.pipelineImage" -}}
{{- if .Values.defaultImages.gamepipe.repository -}}
{{- include "gamepipe.image" (dict "image" .Values.defaultImages.gamepipe "tag" .Chart.AppVersion "path" "defaultImages.gamepipe") -}}
{{- else if or .Values.defaultImages.gamepipe.tag .Values.defaultImages.gamepipe.digest -}}
{{- fail "defaultImages.gamepipe has a tag or a digest and no repository: write all of the image, or leave all of it empty" -}}
{{- else -}}
{{- include "gamepipe.operatorImage" . -}}
{{- end -}}
{{- end -}}

{{- /* The watched namespaces as JSON, for fromJson; not used when all are watched. */ -}}
{{- define "gamepipe.namespaces" -}}
{{- if and .Values.watchAllNamespaces .Values.watchNamespaces -}}
{{- fail "watchAllNamespaces: true and a list in watchNamespaces contradict one another: leave one of them out" -}}
{{- end -}}
{{- dict "all" (.Values.watchNamespaces | default (list .Release.Namespace)) | toJson -}}
{{- end -}}

{{- /* "yes" when one of several operators has to be the one that works. */ -}}
{{- define "gamepipe.elects" -}}
{{- if or .Values.leaderElection.enabled (gt (int .Values.replicas) 1) }}yes{{ end -}}
{{- end -}}

{{- /* "yes" when an object of an optional kind is to be made: of {root, enabled, kind}. */ -}}
{{- define "gamepipe.wants" -}}
{{- if eq (toString .enabled) "auto" -}}
{{- if .root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" .kind) }}yes{{ end -}}
{{- else if .enabled }}yes{{ end -}}
{{- end -}}
