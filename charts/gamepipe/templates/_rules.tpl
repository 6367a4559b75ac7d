{{- /* What the operator may do in a namespace that it watches. A test compares it with the calls that the operator makes: each is allowed here, and
each rule is used. */ -}}
{{- define "gamepipe.rules" -}}
# What users write. The operator never changes it.
- apiGroups: [gamepipe.dev]
  resources: [games, gamepipelines]
  verbs: [get, list, watch]
# What it says of them.
- apiGroups: [gamepipe.dev]
  resources: [games/status, gamepipelines/status]
  verbs: [patch]
# Children are deleted with their GamePipeline. Clusters that check owner references (OpenShift does) let only those set them
# who may set finalizers of the owner.
- apiGroups: [gamepipe.dev]
  resources: [gamepipelines/finalizers]
  verbs: [update]
# Children: applied (create and patch), watched, and deleted when the GamePipeline no longer needs them.
- apiGroups: [""]
  resources: [serviceaccounts, configmaps, services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [deployments, statefulsets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
# Volumes: the lake's is made, those of Kafka and Redis grow. None is ever deleted.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
# Secrets by name alone: those that a GamePipeline names are read, passwords of Kafka and Redis are made once. No list, so it
# can't go through what else there is; no change of one that is there.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create]
# Why pods do not start, and where streamers answer how much has not landed.
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
# What happened, for kubectl describe.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "gamepipe.leaseRules" -}}
# A name can't be given for what is not there yet.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [{{ include "gamepipe.operator" . }}]
  verbs: [get, update]
{{- end -}}
