{{/* The name of all objects. */}}
{{- define "spanloom.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "spanloom" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-spanloom" (.Release.Name | trunc 31 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* What pods are told apart by; it never changes in a release. */}}
{{- define "spanloom.selector" -}}
app.kubernetes.io/name: spanloom
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: node
{{- end -}}

{{- define "spanloom.labels" -}}
{{ include "spanloom.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "spanloom.secretName" -}}
{{- .Values.gossip.existingSecret | default (include "spanloom.fullname" .) -}}
{{- end -}}

{{- define "spanloom.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "spanloom.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Ports that others than nodes reach, as a YAML list of name, port and protocol. */}}
{{- define "spanloom.ports" -}}
- {name: query, port: 3200, protocol: TCP}
- {name: jaeger-query, port: 16686, protocol: TCP}
- {name: jaeger-q-grpc, port: 16685, protocol: TCP}
- {name: otlp-grpc, port: 4317, protocol: TCP}
- {name: otlp-http, port: 4318, protocol: TCP}
{{- if .Values.receivers.jaeger }}
- {name: jaeger-grpc, port: 14250, protocol: TCP}
- {name: jaeger-http, port: 14268, protocol: TCP}
- {name: jaeger-sampling, port: 5778, protocol: TCP}
- {name: jaeger-compact, port: 6831, protocol: UDP}
- {name: jaeger-binary, port: 6832, protocol: UDP}
{{- end }}
{{- if .Values.receivers.zipkin }}
- {name: zipkin, port: 9411, protocol: TCP}
{{- end }}
{{- if .Values.receivers.opencensus }}
- {name: opencensus, port: 55678, protocol: TCP}
{{- end }}
{{- end -}}

{{/* What the chart sets, as a value; `config` goes over it. */}}
{{- define "spanloom.baseConfig" -}}
data_dir: /var/lib/spanloom
listen_host: 0.0.0.0
drain_timeout: {{ .Values.shutdown.drainSeconds }}s
memory:
  budget: {{ .Values.memory.budgetMiB }}MiB
receive:
  otlp_ports: [4317, 4318]
  {{- if not .Values.receivers.jaeger }}
  jaeger: {ports: [], compact_ports: [], binary_ports: [], zipkin_compact_ports: []}
  {{- else }}
  jaeger: {zipkin_compact_ports: []}
  {{- end }}
  {{- if not .Values.receivers.zipkin }}
  zipkin: {ports: []}
  {{- end }}
  {{- if not .Values.receivers.opencensus }}
  opencensus: {ports: []}
  {{- end }}
cluster:
  label: {{ printf "%s/%s" .Release.Namespace .Release.Name | quote }}
  node_name: ${POD_NAME}
  advertise_address: ${POD_IP}
  join: [{{ printf "%s-peers:7946" (include "spanloom.fullname" .) | quote }}]
  zone: "${ZONE:-}"
  secret: GOSSIP_KEYS
  leave_timeout: {{ .Values.shutdown.leaveSeconds }}s
  {{- if .Values.tls.enabled }}
  tls:
    cert_file: /etc/spanloom/tls/tls.crt
    key_file: /etc/spanloom/tls/tls.key
    ca_file: /etc/spanloom/tls/ca.crt
    server_name: {{ .Values.tls.serverName | quote }}
  {{- end }}
{{- end -}}

{{/*
The file. What one variable holds several of, with commas, is put in as text, and what may be empty gets its quotation
marks back, which `toYaml` leaves out.
*/}}
{{- define "spanloom.config" -}}
{{- $base := include "spanloom.baseConfig" . | fromYaml -}}
{{- $text := mergeOverwrite $base (deepCopy .Values.config) | toYaml -}}
{{- $text | replace "secret: GOSSIP_KEYS" "secret: [${GOSSIP_KEYS}]" | replace "zone: ${ZONE:-}" "zone: \"${ZONE:-}\"" -}}
{{- end -}}
