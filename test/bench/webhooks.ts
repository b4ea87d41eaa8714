import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createWebhooks } from '@caloron/scheduler/webhooks';
import { openStore } from '@caloron/store';

import { temporaryHome } from '../support/home.ts';
import type { Row } from './table.ts';

/** Runs that end at the same instant, each with a webhook. */
const FAN_OUT = 100;
const RUNS = 7;
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

interface Endpoint {
  readonly url: string;
  /** Answers nothing while true. */
  hangs: boolean;
  taken: number;
  close(): void;
}

async function endpoint(): Promise<Endpoint> {
  const made: Endpoint = { url: '', hangs: false, taken: 0, close: () => undefined };
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      if (made.hangs) return;
      made.taken += 1;
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return Object.assign(made, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, close });
}

/** How long a hundred webhooks at once take: as one attempt each, and signed out of the outbox; and what a fire waits for while an endpoint hangs. */
export async function benchWebhooks(): Promise<readonly Row[]> {
  const home = temporaryHome();
  const store = openStore(join(home.dir, '.caloron', 'caloron.db'), {
    clock: systemClock,
    uuid: () => systemRandom.uuid(),
  });
  const hook = await endpoint();
  const hanging = await endpoint();
  hanging.hangs = true;
  const failures: unknown[] = [];
  const webhooks = createWebhooks({
    outbox: store.forRun({ run_id: 'bench', lease: null }).outbox,
    clock: systemClock,
    variables: { HOOK_SECRET: SECRET },
    allow: ['127.0.0.1'],
    told: () => undefined,
    failed: (error) => failures.push(error),
  });
  let fires = 0;
  const tell = (url: string, retries: number | null): Promise<void> => {
    const slot = `bench:${(fires += 1)}`;
    const payload = { job: 'bench', composition_id: 'c', ok: true, output: { a: 1 }, duration_ms: 1 };
    const fired = { ...payload, fired_at: '2026-01-01T00:00:00Z' };
    const secret_env = retries === null ? null : 'HOOK_SECRET';
    return webhooks.tell(
      { url, secret_env, retries },
      { scheduler_id: 'bench', slot, run_id: slot, payload: fired },
    );
  };
  const fanOut = async (retries: number | null): Promise<number> => {
    hook.taken = 0;
    const begun = performance.now();
    await Promise.all(Array.from({ length: FAN_OUT }, () => tell(hook.url, retries)));
    while (hook.taken < FAN_OUT) await new Promise((resolve) => setTimeout(resolve, 1));
    return performance.now() - begun;
  };
  try {
    await fanOut(null);
    const rows: Record<'once' | 'signed' | 'waits', number[]> = { once: [], signed: [], waits: [] };
    for (let run = 0; run < RUNS; run += 1) {
      rows.once.push(await fanOut(null));
      rows.signed.push(await fanOut(3));
    }
    for (let run = 0; run < RUNS; run += 1) {
      const begun = performance.now();
      await tell(hanging.url, null);
      rows.waits.push(performance.now() - begun);
    }
    if (failures.length > 0) throw new Error(`webhooks failed: ${String(failures[0])}`);
    return [
      { what: `${FAN_OUT} webhooks at once, one attempt each`, unit: 'ms', values: rows.once },
      { what: `${FAN_OUT} signed webhooks at once, out of the outbox`, unit: 'ms', values: rows.signed },
      { what: 'what a run waits for a webhook whose endpoint hangs', unit: 'ms', values: rows.waits },
    ];
  } finally {
    hook.close();
    hanging.close();
    await webhooks.close(0);
    store.close();
    home.remove();
  }
}
