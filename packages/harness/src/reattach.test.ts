import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { CredentialRequest } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { type Bench, createBench } from '../test/bench.ts';
import { type FakeShell, startShell } from '../test/fake-shell.ts';
import { runHarness } from './harness.ts';
import { createAgentShell } from './shell-client.ts';

let bench: Bench;
let next: FakeShell | undefined;
beforeEach(async () => {
  next = undefined;
  bench = await createBench();
});
afterEach(async () => {
  await next?.close();
  await bench.close();
});

const WAIT = { timeout: 10_000, interval: 20 };
const TOKEN = 'agent-token-of-p1';
const ask: CredentialRequest = { purpose: 'push' };

describe('an agent whose shell comes back at another port', () => {
  it('beats, asks for its credential, delivers and reports there', async () => {
    const file = join(bench.root, 'shell.json');
    const go = join(bench.root, 'go');
    const steps = [
      { write: 'one.txt', content: 'one' },
      { commit: 'Add one' },
      { run: ['sh', '-c', `until test -e ${go}; do sleep 0.02; done`] },
    ];
    await bench.script('t1', { v: 1, attempts: [{ steps }] });
    const ended = runHarness(bench.order({ shell_file: file, heartbeat_ms: 50 }), bench.deps());
    await vi.waitFor(() => expect(bench.shell.beats.length).toBeGreaterThan(1), WAIT);

    // It pushes just while nobody is there to give it a token.
    await bench.shell.close();
    await writeFile(go, '');
    const log = join(bench.root, 'logs', 'p1.log');
    await vi.waitFor(async () => {
      expect(await readFile(log, 'utf8')).toContain('ask for the push credential: ');
    }, WAIT);
    next = await startShell();
    await writeFile(file, JSON.stringify({ v: 1, url: next.url }));

    expect(await ended).toBe(0);
    expect(await bench.remote('caloron/s1/t1')).not.toBeNull();
    expect(next.credentials).toContain('push');
    expect(next.beats.length).toBeGreaterThan(0);
    expect(next.reports).toMatchObject([{ outcome: 'completed' }]);
  });

  it('is told only to the host it was given', async () => {
    next = await startShell();
    const file = join(bench.root, 'shell.json');
    const { port } = new URL(next.url);
    const shell = createAgentShell({ url: bench.shell.url, file }, TOKEN);

    for (const url of [`http://localhost:${port}`, `https://127.0.0.1:${port}`, 'none', 7]) {
      await writeFile(file, JSON.stringify({ v: 1, url }));
      await shell.credential(ask);
    }
    expect([bench.shell.credentials.length, next.credentials.length]).toEqual([4, 0]);

    await writeFile(file, JSON.stringify({ v: 1, url: `${next.url}/elsewhere?x` }));
    await shell.credential(ask);
    expect([bench.shell.credentials.length, next.credentials.length]).toEqual([4, 1]);
  });
});
