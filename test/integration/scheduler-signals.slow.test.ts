import { rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { findHome, openStore, type Store } from '@caloron/store';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { environment, must, serve, type Serving, temporaryDirectory, writeText } from '../support/bins.ts';

const WAIT = { timeout: 30_000, interval: 20 };
/** Never due during the test: events fire the job. */
const NEVER = '0 0 1 1 *';

describe('a busy scheduler', () => {
  let dir: string;
  let undo: (() => unknown)[];
  let url: string;
  let begun: string[];
  let waiting: (() => void)[];
  let holding: boolean;
  let store: Store;

  beforeEach(async () => {
    dir = temporaryDirectory();
    undo = [() => rmSync(dir, { recursive: true, force: true })];
    [begun, waiting, holding] = [[], [], true];
    const server: Server = createServer((request, response) => {
      request.resume();
      begun.push(request.url ?? '');
      const answer = (): void => void response.end(JSON.stringify({ ok: true, data: { output: 'done' } }));
      if (holding) waiting.push(answer);
      else answer();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    undo.push(() => {
      server.closeAllConnections();
      server.close();
    });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await must('noether', ['stage', 'sync', '--store', join(dir, '.noether/store.json')], { cwd: dir });
    store = openStore(findHome({ flag: dir, cwd: dir }).db, {
      clock: systemClock,
      uuid: () => systemRandom.uuid(),
    });
    undo.push(() => store.close());
  });
  afterEach(async () => {
    for (const step of undo.reverse()) await step();
  });

  const letGo = (): void => {
    holding = false;
    for (const answer of waiting.splice(0)) answer();
  };
  const remote = { op: 'RemoteStage', input: { kind: 'Any' }, output: { kind: 'Text' } };
  const configure = (root: object, webhook?: unknown): void => {
    writeText(join(dir, 'g.json'), JSON.stringify({ description: 't', version: '0.1.0', root }));
    const job = { name: 'j', cron: NEVER, graph: 'g.json', on: ['sprint.started'], webhook };
    writeText(join(dir, 'scheduler.json'), JSON.stringify({ jobs: [job] }));
  };
  const start = async (): Promise<Serving> => {
    const env = environment({
      CALORON_WEBHOOK_ALLOW: '127.0.0.1',
      HOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
    });
    const scheduler = await serve('noether-scheduler', ['--home', dir], { cwd: dir, env });
    undo.push(() => {
      letGo();
      return scheduler.stop();
    });
    return scheduler;
  };
  const fire = (): Promise<unknown> =>
    store.events.append([{ event_id: 'a', kind: 'sprint.started', sprint_id: null, payload: {} }]);
  const slots = () => store.slots.list({ job: 'j', limit: 100 }).toReversed();
  const reached = (path: string, times = 1): Promise<void> =>
    vi.waitFor(() => expect(begun.filter((one) => one === path)).toHaveLength(times), WAIT);
  /** In the middle of a long stage. */
  const busy = async (): Promise<Serving> => {
    configure({ ...remote, url: `${url}/stage` });
    const scheduler = await start();
    await fire();
    await reached('/stage');
    return scheduler;
  };
  const signalled = (scheduler: Serving, name: NodeJS.Signals): Promise<void> => {
    process.kill(scheduler.pid, name);
    return vi.waitFor(() => expect(scheduler.log()).toContain('ending: runs may finish'), WAIT);
  };
  const madeAgain = async (): Promise<void> => {
    letGo();
    await start();
    await vi.waitFor(
      () =>
        expect(slots()).toMatchObject([
          { slot: expect.stringMatching(/^event:/) as string, status: 'failed' },
          { slot: expect.stringMatching(/^resume:/) as string, status: 'ok' },
        ]),
      WAIT,
    );
    expect(begun).toEqual(['/stage', '/stage']);
  };

  it('lets a run finish that does so within the grace, and exits 0', async () => {
    const scheduler = await busy();
    await signalled(scheduler, 'SIGTERM');
    letGo();

    expect(await scheduler.ended()).toBe(0);
    expect(slots()).toMatchObject([{ status: 'ok' }]);
  });

  it('interrupts a run that does not end within the grace, exits 0, and the next one makes it again', async () => {
    const scheduler = await busy();
    const asked = performance.now();
    await signalled(scheduler, 'SIGTERM');
    expect(await scheduler.ended()).toBe(0);

    expect(performance.now() - asked).toBeGreaterThan(9_000);
    expect(scheduler.log()).toContain('job interrupted; it is made again at the next start');
    expect(slots()).toMatchObject([{ status: 'fired' }]);
    await madeAgain();
  });

  it.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    'ends at once by a second signal, %s, and the next one makes its run again',
    async (name, code) => {
      const scheduler = await busy();
      await signalled(scheduler, 'SIGTERM');
      process.kill(scheduler.pid, name);

      // At the end of the grace it would exit 0.
      expect(await scheduler.ended()).toBe(code);
      await madeAgain();
    },
  );

  it('that is killed is followed by one that makes its run again', async () => {
    const scheduler = await busy();
    process.kill(scheduler.pid, 'SIGKILL');
    expect(await scheduler.ended()).toBeUndefined();

    await madeAgain();
  });

  it.each([
    ['one attempt', false],
    ['signed', true],
  ])('exits 0 while a webhook is being sent (%s), and a signed one is sent again', async (_, signed) => {
    const hook = `${url}/hook`;
    configure(
      { op: 'Const', value: 1 },
      signed ? { url: hook, secret_env: 'HOOK_SECRET', retries: 3 } : hook,
    );
    const scheduler = await start();
    await fire();
    await reached('/hook');
    const asked = performance.now();
    await signalled(scheduler, 'SIGTERM');
    expect(await scheduler.ended()).toBe(0);

    expect(performance.now() - asked).toBeLessThan(10_000);
    expect(slots()).toMatchObject([{ status: 'ok' }]);
    if (!signed) return;
    letGo();
    await start();
    // What was cut off may be made again after a minute.
    await vi.waitFor(() => expect(store.outboxRows(null)).toMatchObject([{ status: 'done' }]), {
      timeout: 200_000,
      interval: 100,
    });
    expect(begun).toEqual(['/hook', '/hook']);
  });
});
