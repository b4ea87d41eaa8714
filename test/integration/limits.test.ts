import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { systemClock } from '@caloron/capabilities/clock';
import { tokenIdOf } from '@caloron/capabilities/token-id';
import type { RunningForge } from '@caloron/forge';
import type { RunResult } from '@caloron/noether';
import { loadGraph, type Runtime } from '@caloron/scheduler';
import { addMs } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { temporaryHome } from '../support/home.ts';
import { LIB, libForge, runtimeAt } from '../support/lib-forge.ts';
import { ROOT } from '../support/tree.ts';

const ASKER = join(ROOT, 'test/support/forge-asker.ts');
const Asked = z.object({ answered: z.number(), code: z.string().nullable() });

let dir: string;
let undo: (() => unknown)[];
let forge: RunningForge;
let token: string;

/** A forge that answers so many requests an hour to each token, with a repository. */
async function forgeWith(rate_limit: number): Promise<void> {
  ({ forge, token } = await libForge(join(dir, 'forge'), rate_limit));
  undo.push(() => forge.close());
}

/** Asks from a process of its own. */
async function asked(who: 'tick' | 'person', most: number): Promise<z.output<typeof Asked>> {
  const order = { db: join(dir, 'a.db'), host: forge.url, repo: LIB, most, who };
  const { stdout } = await promisify(execFile)(process.execPath, [ASKER, JSON.stringify(order)], {
    env: { ...process.env, FORGE_ASKER_TOKEN: token },
    timeout: 120_000,
  });
  return Asked.parse(JSON.parse(stdout));
}

function runtimeHere(): Runtime {
  const settings = { host: forge.url, token_env: 'CALORON_FORGE_TOKEN', agent_logins: ['agent'] };
  const runtime = runtimeAt(join(dir, 'home'), settings, { CALORON_FORGE_TOKEN: token });
  undo.push(() => runtime.close());
  return runtime;
}

const run = (runtime: Runtime, name: string, input: Record<string, string>): Promise<RunResult> => {
  const graph_name = join(ROOT, `compositions/${name}.json`);
  return runtime.run({
    graph: loadGraph(graph_name),
    graph_name,
    input: { repo: LIB, sprint_id: 's1', ...input },
  });
};

beforeEach(() => {
  const home = temporaryHome();
  undo = [() => home.remove()];
  dir = home.dir;
});
afterEach(async () => {
  vi.restoreAllMocks();
  for (const step of undo.reverse()) await step();
});

describe('a limit of requests', () => {
  it('5.4.16 is shared by the processes of a home, met by none of them, and its last part is for people', async () => {
    await forgeWith(50);

    // From its answer on the limit is known: a process that asks before could be held up until the other has all of it.
    const first = await asked('tick', 1);
    const ticks = await Promise.all([asked('tick', 100), asked('tick', 100)]);
    const person = await asked('person', 100);

    expect(first).toEqual({ answered: 1, code: null });
    expect(ticks.map(({ code }) => code)).toEqual(['FORGE_PARKED', 'FORGE_PARKED']);
    expect(ticks.reduce((sum, { answered }) => sum + answered, 0)).toBe(39);
    expect(person).toEqual({ answered: 10, code: 'FORGE_PARKED' });
  });
});

describe('a host that is parked', () => {
  it('5.4.16 is asked nothing by a tick, which goes on and says until when', async () => {
    await forgeWith(5000);
    const runtime = runtimeHere();
    await run(runtime, 'kickoff', { brief: '- [one] Do one thing' });
    const { store } = runtime;
    const until = addMs(systemClock.now(), 600_000);
    const account = { host: forge.url, token_id: tokenIdOf(token) };
    await store.forgeBudgets.limited(account, 'slow_down', until);
    const { fetch: real } = globalThis;
    let requests = 0;
    vi.spyOn(globalThis, 'fetch').mockImplementation((address, init) => {
      const url = new URL(address instanceof Request ? address.url : address);
      requests += url.origin === forge.url ? 1 : 0;
      return real(address, init);
    });

    const ticks = [await run(runtime, 'sprint_tick', {}), await run(runtime, 'sprint_tick', {})];

    expect(requests).toBe(0);
    expect(ticks).toMatchObject([{ ok: true }, { ok: true }]);
    expect(ticks[1]).toMatchObject({ output: { forge_away: { code: 'FORGE_PARKED', until } } });
  });
});
