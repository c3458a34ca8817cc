// Lets the Jaeger client for Node ask how to sample, and says what it made of the answer.
//
// usage: sample_jaeger.mjs SERVICE AGENT_HOST:PORT SAMPLING_HOST:PORT SAMPLING_PATH
//
// Waits until the client has heard a strategy, then makes one span. Prints one line of JSON: the type and the
// parameter of the client's sampler, whether it sampled the span, and the trace id. Ends with 1 if it heard none.

import { setTimeout as sleep } from 'node:timers/promises';
import jaeger from 'jaeger-client';

const TIMEOUT_MS = 20_000;
const POLLS_MS = 100;
const [serviceName, agent, sampling, samplingPath] = process.argv.slice(2);
const [agentHost, agentPort] = agent.split(':');

const failures = [];
const logger = { info() {}, error: (message) => failures.push(message) };
// Before it hears, it samples nothing.
const sampler = { type: 'remote', param: 0, hostPort: sampling, samplingPath, refreshIntervalMs: POLLS_MS };
const reporter = { agentHost, agentPort: Number(agentPort) };
const counts = {};
const metrics = {
  createCounter: (name, tags) => ({
    increment: (by) => {
      const key = `${name} ${tags?.result ?? ''}`;
      counts[key] = (counts[key] ?? 0) + by;
    },
  }),
  createTimer: () => ({ record() {} }),
  createGauge: () => ({ update() {} }),
};
const tracer = jaeger.initTracer({ serviceName, sampler, reporter }, { logger, metrics, traceId128bit: true });
const deadline = Date.now() + TIMEOUT_MS;
// The second answer: what the first one said is in use by then.
while (!(counts['jaeger:sampler_queries ok'] >= 2)) {
  if (Date.now() > deadline) {
    console.error(`no strategy in ${TIMEOUT_MS} ms`, counts, failures);
    process.exit(1);
  }
  await sleep(10);
}
const span = tracer.startSpan('sampled as told');
span.finish();
await new Promise((closed) => tracer.close(closed));
// What it uses at last is behind the sampler that asks.
const told = tracer._sampler._sampler;
const limiting = 'maxTracesPerSecond' in told;
const said = {
  type: limiting ? 'ratelimiting' : 'probabilistic',
  param: limiting ? told.maxTracesPerSecond : told.samplingRate,
  sampled: span.context().isSampled(),
  traceId: span.context().traceIdStr.padStart(32, '0'),
};
console.log(JSON.stringify(said));
