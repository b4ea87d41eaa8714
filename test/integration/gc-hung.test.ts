import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { environment, run } from '../support/bins.ts';

let dir: string;
let hung: Server;
const sockets: Socket[] = [];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-gc-'));
  mkdirSync(join(dir, '.caloron'));
  hung = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(hung, 'listening');
});
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  hung.close();
  rmSync(dir, { recursive: true });
});

it('gc beside a shell that takes connections and says nothing tells what it waits for, and does not wait for long', async () => {
  const { port } = hung.address() as AddressInfo;
  const env = environment({ CALORON_SHELL_URL: `http://127.0.0.1:${port}`, CALORON_HOME: dir });
  const began = performance.now();

  const { code, stdout, stderr } = await run('caloron', ['gc', '--home', dir], { cwd: dir, env });

  expect(code, stderr).toBe(0);
  expect(stdout).toContain('no shell runs: done here');
  expect(stderr).toContain(`waiting for the shell at http://127.0.0.1:${port} to answer, at most 5 s`);
  expect(performance.now() - began).toBeLessThan(30_000);
});
