import { Readable, Writable } from 'node:stream';

import { describe, expect, it } from 'vitest';

import { fixedClock } from '../clock.ts';
import { createEnvironment } from './environment.ts';
import { createStdio } from './stdio.ts';
import { createTimer } from './timer.ts';

describe('the environment', () => {
  const environment = createEnvironment({
    variables: { OPEN: 'yes', SECRET: 's3cret' },
    allow: ['OPEN', 'UNSET', '__proto__'],
  });

  it('gives the variables it is told to, null for one that is not set', () => {
    expect(['OPEN', 'UNSET', '__proto__'].map((name) => environment.get(name))).toEqual(['yes', null, null]);
  });

  it.each(['SECRET', 'open', '', 'OPEN '])('refuses %j, set or not, without its value', (name) => {
    expect(() => environment.get(name)).toThrow(expect.objectContaining({ code: 'ENV_NOT_ALLOWED' }));
    expect(() => environment.get(name)).not.toThrow('s3cret');
  });
});

describe('the timer', () => {
  const timer = createTimer(fixedClock('2026-04-14T08:30:00.000Z'));

  it('tells the time it woke at', async () => {
    const before = performance.now();

    expect(await timer.sleep(30)).toBe('2026-04-14T08:30:00.000Z');
    expect(performance.now() - before).toBeGreaterThan(25);
  });

  it("is woken by the signal, with the signal's reason", async () => {
    await expect(timer.sleep(60_000, AbortSignal.abort(new Error('the run ended')))).rejects.toThrow(
      'the run ended',
    );
  });
});

describe('the standard streams', () => {
  it('are read to the end, once, and written', async () => {
    const written: string[] = [];
    const output = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk.toString());
        done();
      },
    });
    const stdio = createStdio({ input: Readable.from(['gr', 'ün']), output });

    expect(await stdio.read()).toBe('grün');
    expect(await stdio.read()).toBe('');
    await stdio.write('a');
    expect(written).toEqual(['a']);
  });

  it('are not read from a terminal, and not after the signal', async () => {
    const output = new Writable();
    const terminal = Object.assign(new Readable({ read: () => undefined }), { isTTY: true });
    const silent = new Readable({ read: () => undefined });

    await expect(createStdio({ input: terminal, output }).read()).rejects.toMatchObject({
      code: 'STDIO_UNAVAILABLE',
    });
    const abort = new AbortController();
    const read = createStdio({ input: silent, output }).read(abort.signal);
    abort.abort(new Error('the run ended'));
    await expect(read).rejects.toThrow('the run ended');
  });
});
