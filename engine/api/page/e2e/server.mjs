// The server under test: a process on a folder of its own, on odd ports of the loopback address.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Asks again and again until it holds. */
export async function until(what, holds, seconds = 20) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`no ${what} in ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Everything but OTLP and questions is switched off. */
function configuration({ query, otlp, data }, more) {
  const lines = [
    `data_dir: ${JSON.stringify(data)}`,
    'receive:',
    `  otlp_ports: [${otlp}]`,
    '  jaeger: {ports: [], compact_ports: [], binary_ports: [], zipkin_compact_ports: []}',
    '  zipkin: {ports: []}',
    '  opencensus: {ports: []}',
    `query: {port: ${query}, jaeger_ports: []}`,
    ...more,
  ];
  return `${lines.join('\n')}\n`;
}

export class Server {
  /** Starts one; `more` are lines of its configuration. */
  static async start(binary, folder, name, more = []) {
    const server = new Server();
    const [query, otlp] = [await freePort(), await freePort()];
    server.query = `http://127.0.0.1:${query}`;
    server.otlp = `127.0.0.1:${otlp}`; // gRPC and HTTP alike
    const config = join(folder, `${name}.yaml`);
    server.log = join(folder, `${name}.log`);
    writeFileSync(config, configuration({ query, otlp, data: join(folder, name) }, more));
    const log = openSync(server.log, 'a');
    server.process = spawn(binary, ['serve', '--config', config], { stdio: ['ignore', log, log] });
    closeSync(log);
    await until('server that is ready', async () => {
      if (server.process.exitCode !== null)
        throw new Error(`spanloom ended before it was ready:\n${readFileSync(server.log)}`);
      return (await fetch(`${server.query}/ready`).catch(() => null))?.status === 200;
    });
    return server;
  }

  async post(body, headers = {}) {
    const answer = await fetch(`http://${this.otlp}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    const said = await answer.text();
    if (answer.status !== 200 || said.includes('rejected'))
      throw new Error(`a request is answered ${answer.status}: ${said}`);
  }

  async stop() {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await ended;
  }
}
