import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  forgetServices,
  isAlive,
  knownServices,
  rememberServices,
  type Service,
  startService,
  stopService,
} from './services.ts';

const READY = `process.stdout.write(JSON.stringify({ ready: true, url: 'http://127.0.0.1:1', pid: process.pid }) + '\\n');`;
const STAYS = 'setInterval(() => undefined, 1000);';

describe('a service', () => {
  let dir: string;
  const started: Service[] = [];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-services-'));
  });
  afterEach(async () => {
    await Promise.all(started.splice(0).map(stopService));
    rmSync(dir, { recursive: true, force: true });
  });

  const log = (): string => join(dir, 'logs', 'caloron-shell.log');

  async function start(code: string, signal?: AbortSignal): Promise<Service> {
    const script = join(dir, 'caloron-shell.mjs');
    writeFileSync(script, code);
    const service = await startService(
      {
        name: 'caloron-shell',
        args: ['--flag'],
        env: { PATH: process.env['PATH'] ?? '' },
        cwd: dir,
        log_dir: join(dir, 'logs'),
        ...(signal === undefined ? {} : { signal }),
      },
      script,
    );
    started.push(service);
    return service;
  }

  it('is up when it says so, and gone when it is stopped', async () => {
    const service = await start(`process.stderr.write(process.argv[2] + '\\n'); ${READY} ${STAYS}`);

    expect(service).toMatchObject({ name: 'caloron-shell', url: 'http://127.0.0.1:1', log: log() });
    expect(isAlive(service.pid)).toBe(true);
    expect(readFileSync(log(), 'utf8')).toBe('--flag\n');

    await stopService(service);
    expect(isAlive(service.pid)).toBe(false);
    await stopService(service);
  });

  it('that ends before says why in its own words, not in those of an earlier start', async () => {
    const fails = (said: string): string =>
      `process.stderr.write('{"level":30}\\n${said}\\n  next: do this\\n'); process.exitCode = 1;`;
    await expect(start(fails('caloron-shell: first'))).rejects.toThrow();

    await expect(start(fails('caloron-shell: second'))).rejects.toMatchObject({
      code: 'CLI_SERVICE_FAILED',
      details: { service: 'caloron-shell', reason: 'second; next: do this', log: log() },
      hint: `tail ${log()}`,
    });
    await expect(start('')).rejects.toMatchObject({ details: { reason: 'it ended at once' } });
  });

  it('begins another log when that of earlier starts has grown large, and keeps the last one', async () => {
    mkdirSync(join(dir, 'logs'));
    writeFileSync(log(), 'x'.repeat(16_777_216));

    const service = await start(`process.stderr.write('new\\n'); ${READY} ${STAYS}`);

    expect(readFileSync(log(), 'utf8')).toBe('new\n');
    expect(statSync(`${log()}.1`).size).toBe(16_777_216);
    await stopService(service);
  });

  it('is ended when the wait for it is', async () => {
    const control = new AbortController();
    const starting = start(`process.stderr.write(String(process.pid) + '\\n'); ${STAYS}`, control.signal);
    const pid = (): number => {
      try {
        return Number(readFileSync(log(), 'utf8'));
      } catch {
        return 0;
      }
    };
    await expect.poll(pid).toBeGreaterThan(0);

    control.abort(new Error('interrupted'));

    await expect(starting).rejects.toThrow('interrupted');
    await expect.poll(() => isAlive(pid())).toBe(false);
  });

  it('is known to its home while it lives and is what it was', async () => {
    const service = await start(`${READY} ${STAYS}`);
    // A pid that now belongs to another program.
    rememberServices(dir, [service, { ...service, name: 'noether-scheduler' }]);

    expect(knownServices(dir)).toEqual([service]);
    await stopService(service);
    expect(knownServices(dir)).toEqual([]);
    forgetServices(dir);
    forgetServices(dir);
    expect(knownServices(dir)).toEqual([]);
  });
});
