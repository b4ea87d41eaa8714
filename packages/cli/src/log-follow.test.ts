import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { bootId, pidNamespace, statOf } from '@caloron/capabilities/process-identity';
import type { ProcessRow } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { openLogChain } from './log-chain.ts';
import { followLog } from './log-follow.ts';
import { harmless, readLines } from './log-text.ts';

let dir: string;
let file: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-log-'));
  file = join(dir, 'p.log');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
});

/** As the harness does: `{file}.3` goes. */
function rotate(): void {
  for (const n of [2, 1, 0]) {
    const from = n === 0 ? file : `${file}.${n}`;
    if (existsSync(from)) renameSync(from, `${file}.${n + 1}`);
  }
}

describe('a log that is rotated', () => {
  function reading(): { readonly text: () => string; readonly read: () => boolean } {
    const chain = openLogChain(file);
    let text = '';
    return { text: () => text, read: () => chain.read((bytes) => (text += bytes.toString())) };
  }

  it('is read from its oldest kept file on', () => {
    for (const word of ['a', 'b', 'c', 'd']) {
      writeFileSync(file, word);
      rotate();
    }
    writeFileSync(file, 'e');
    const log = reading();
    expect(log.read()).toBe(false);
    expect(log.text()).toBe('bcde');
  });

  it('gives every byte once, in order, whatever is rotated between two looks', () => {
    const log = reading();
    let written = '';
    let n = 0;
    for (const rotations of [0, 1, 0, 2, 1, 3, 0, 3]) {
      for (let turn = 0; turn <= rotations; turn += 1) {
        const word = `${(n += 1)};`;
        appendFileSync(file, word);
        written += word;
        if (turn < rotations) rotate();
      }
      expect(log.read()).toBe(false);
      expect(log.text()).toBe(written);
    }
  });

  it('says that output is lost when it went through all kept files between two looks', () => {
    writeFileSync(file, 'seen;');
    const log = reading();
    log.read();
    for (const word of ['a', 'b', 'c', 'd']) {
      rotate();
      writeFileSync(file, word);
    }
    expect(log.read()).toBe(true);
    expect(log.text()).toBe('seen;abcd');
    expect(log.read()).toBe(false);
  });

  it('is read anew where it was emptied in place, and is no link to another file', () => {
    writeFileSync(file, 'long enough');
    const log = reading();
    log.read();
    writeFileSync(file, 'new');
    log.read();
    expect(log.text()).toBe('long enoughnew');

    rmSync(file);
    writeFileSync(join(dir, 'secret'), 'secret');
    symlinkSync(join(dir, 'secret'), file);
    const linked = reading();
    linked.read();
    expect(linked.text()).toBe('');
  });
});

describe('following a process', () => {
  function processRow(child: ChildProcess): ProcessRow {
    const pid = child.pid ?? 0;
    return {
      process_id: 'p1',
      action_id: 'a1',
      agent_id: 'agent-1',
      sprint_id: 's1',
      task_id: 't1',
      role: 'author',
      mode: 'start',
      attempt: 1,
      pid,
      start_ticks: statOf(pid)?.start_ticks ?? null,
      boot_id: bootId(),
      pid_ns: pidNamespace(),
      pgid: pid,
      worktree: dir,
      branch: 'b',
      base_sha: '0'.repeat(40),
      log_file: file,
      state: 'running',
      exit: null,
    };
  }

  /** A process that goes on until it is told to end, and then says one last word. */
  function worker(): ChildProcess {
    const code = `process.on('SIGTERM', () => { require('fs').appendFileSync(${JSON.stringify(file)}, 'last\\n'); process.exit(0); }); console.log('up'); setInterval(() => 0, 1000);`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  }

  it('ends with its last words though no shell is there to settle it', async () => {
    const child = worker();
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    const row = processRow(child);
    let text = '';
    let caught_up: string | undefined;
    const following = followLog(row, {
      processes: { get: () => row },
      signal: new AbortController().signal,
      take: (bytes) => (text += bytes.toString()),
      onCaughtUp: () => (caught_up = text),
      onLost: () => expect.unreachable(),
    });
    expect(caught_up).toBe('');
    appendFileSync(file, 'one\n');
    await vi.waitFor(() => expect(text).toBe('one\n'), { timeout: 30_000 });
    rotate();
    appendFileSync(file, 'two\n');
    await vi.waitFor(() => expect(text).toBe('one\ntwo\n'), { timeout: 30_000 });
    child.kill('SIGTERM');
    expect(await following).toMatchObject({ ended: true, row: { state: 'running', exit: null } });
    expect(text).toBe('one\ntwo\nlast\n');
  });

  it('ends at once with the exit that a shell settled, and when it is interrupted', async () => {
    const child = worker();
    const row = processRow(child);
    const exit = { code: 3, signal: null, at: '2026-01-01T00:00:00.000Z', known: true };
    writeFileSync(file, 'x');
    const deps = { take: () => undefined, onCaughtUp: () => undefined, onLost: () => undefined };
    const settled = await followLog(row, {
      ...deps,
      processes: { get: () => ({ ...row, state: 'exited', exit }) },
      signal: new AbortController().signal,
    });
    expect(settled).toMatchObject({ ended: true, row: { exit } });

    const control = new AbortController();
    const following = followLog(row, { ...deps, processes: { get: () => row }, signal: control.signal });
    control.abort();
    expect(await following).toMatchObject({ ended: false });
  });
});

describe('what an agent printed', () => {
  it('becomes lines wherever the bytes were cut', () => {
    const bytes = Buffer.from('größe\n\nend 🎉');
    for (let at = 0; at <= bytes.length; at += 1) {
      const lines: string[] = [];
      const reader = readLines((line) => lines.push(line));
      reader.push(bytes.subarray(0, at));
      reader.push(bytes.subarray(at));
      reader.end();
      expect(lines).toEqual(['größe', '', 'end 🎉']);
    }
  });

  it('colours a terminal at most', () => {
    const red = '\u001b[31mred\u001b[0m';
    const nasty = `\u001b]0;title\u0007\u001b]52;c;cGFzcw==\u001b\\\u001b[2J\u001b[1;1H\u001b[?1049h\u0007a\tb\u202e`;
    expect(harmless(red + nasty, true)).toBe(`${red}a\tb`);
    expect(harmless(red + nasty, false)).toBe('reda\tb');
    expect(harmless('10%\r20%\r\nnext\r', false)).toBe('10%\n20%\nnext');
  });
});
