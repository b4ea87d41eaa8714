import { spawn, type ChildProcess } from 'node:child_process';
import { performance } from 'node:perf_hooks';

import { fixedClock } from '@caloron/capabilities/clock';
import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { createActivity } from './activity.ts';
import { createAwakeTime } from './awake-time.ts';
import { createCpuWatch } from './cpu-watch.ts';
import { createPromiseReader } from './next-by.ts';
import { cpuOfAgent, createAgentCpu } from './process-tree.ts';

const AT = '2026-11-21T10:00:00.000Z';
const HOUR = 3_600_000;
const DEADLINE = { timeout: 30_000, interval: 20 } as const;

const children: ChildProcess[] = [];
const tags = new Set<string>();
afterEach(() => {
  const left = taggedProcesses(tags).map(({ pid }) => pid);
  tags.clear();
  // By its tag, too: what left the group of its parent would compute for ever.
  for (const pid of [...children.splice(0).map((child) => -(child.pid ?? Number.NaN)), ...left]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
});

/** A shell script in a group of its own, tagged as a process of the agent `tag`. */
function script(text: string, tag: string): number {
  const env = { PATH: process.env['PATH'] ?? '', CALORON_PROCESS_ID: tag };
  tags.add(tag);
  const child = spawn('sh', ['-c', text], { detached: true, stdio: 'ignore', env });
  children.push(child);
  expect(child.pid).toBeDefined();
  return child.pid!;
}

const BUSY = 'i=0; while :; do i=$((i+1)); done';

describe('the processor time of an agent', () => {
  it('is that of every process below its harness, however deep, and of no other', async () => {
    const tag = `evidence-${process.pid}-tree`;
    const leader = script(`sh -c '${BUSY}' & wait`, tag);
    script(BUSY, `${tag}-other`);
    // The leader stands for the harness: it is left out, its child is not.
    await vi.waitFor(() => expect(cpuOfAgent(leader, 'nobody')).toBeGreaterThanOrEqual(50), DEADLINE);
    expect(cpuOfAgent(999_999_999, 'nobody')).toBe(0);
  });

  it('is also that of a process that left the tree, by its tag', async () => {
    const tag = `evidence-${process.pid}-tag`;
    script(`setsid sh -c '${BUSY}' & sleep 600`, tag);
    await vi.waitFor(() => expect(cpuOfAgent(999_999_999, tag)).toBeGreaterThanOrEqual(50), DEADLINE);
  });

  it('has what begins later, and all of it again when others are looked at again', async () => {
    const tag = `evidence-${process.pid}-later`;
    let now = 0;
    const used = createAgentCpu(process.pid, tag, () => now);
    const before = used();
    script(BUSY, tag);
    await vi.waitFor(() => expect(used()).toBeGreaterThanOrEqual(before + 50), DEADLINE);
    now = 60_000;
    expect(used()).toBeGreaterThanOrEqual(before + 50);
  });

  it('keeps what ended children used', async () => {
    const tag = `evidence-${process.pid}-ended`;
    script(`sh -c 'i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done'; exec sleep 600`, tag);
    await vi.waitFor(() => expect(cpuOfAgent(999_999_999, tag)).toBeGreaterThanOrEqual(50), DEADLINE);
    await vi.waitFor(() => {
      const now = cpuOfAgent(999_999_999, tag);
      expect(now).toBeGreaterThanOrEqual(50);
      expect(cpuOfAgent(999_999_999, tag)).toBe(now);
    }, DEADLINE);
  });
});

describe('the watch over it', () => {
  it('G1 sees a process that only computes, and not one that only sleeps in a loop', async () => {
    const busy = `evidence-${process.pid}-busy`;
    const idle = `evidence-${process.pid}-idle`;
    const monotonic = () => performance.now();
    const watch = (tag: string) => createCpuWatch(createAgentCpu(999_999_999, tag, monotonic), monotonic);
    script(BUSY, busy);
    script('while :; do sleep 0.3; done', idle);
    const [at_work, asleep] = [watch(busy), watch(idle)];
    await vi.waitFor(() => expect(at_work.worked()).toBe(true), DEADLINE);
    expect(asleep.worked()).toBe(false);
  });

  it.each([
    ['a second of work in each minute', 1000, true],
    ['less than that', 900, false],
    ['nothing', 0, false],
  ])('G1 judges %s, at a beat a minute', (_, ms, worked) => {
    let [used, at] = [0, 0];
    const watch = createCpuWatch(
      () => used,
      () => at,
    );
    for (let minute = 0; minute < 30; minute += 1) {
      used += ms;
      at += 60_000;
      expect(watch.worked()).toBe(worked);
    }
  });

  it('forgets a trickle after a minute, and goes on from where the sum of ended processes fell', () => {
    let [used, at] = [0, 0];
    const watch = createCpuWatch(
      () => used,
      () => at,
    );
    for (let beat = 0; beat < 300; beat += 1) {
      used += 10;
      at += 1000;
      expect(watch.worked()).toBe(false);
      used -= beat % 2 === 0 ? 0 : 15;
    }
    used += 2000;
    at += 1000;
    expect(watch.worked()).toBe(true);
  });
});

describe('a promise in the output', () => {
  it.each([
    [['CALORON_NEXT_BY 45m building'], 45],
    [['{"text":"CALORON_NEXT_BY 5m\\n"}'], 5],
    [['a CALORON_', 'NEXT_BY 1', '20m\n'], 120],
    [['CALORON_NEXT_BY 5m', ' then CALORON_NEXT_BY 7m'], 7],
    [['`CALORON_NEXT_BY <minutes>m`'], null],
    [['CALORON_NEXT_BY 99999m'], null],
    [['NEXT_BY 5m CALORON_NEXT_BY soon'], null],
  ])('%j is one of %s minutes', (pieces, minutes) => {
    const read = createPromiseReader();
    const found = pieces.map(read).filter((one) => one !== null);
    expect(found.at(-1) ?? null).toBe(minutes);
  });

  it('is heard once', () => {
    const read = createPromiseReader();
    expect([read('CALORON_NEXT_BY 5m\n'), read('and'), read(' more')]).toEqual([5, null, null]);
  });
});

function activity(timeout_ms = 10 * HOUR) {
  let at = 0;
  const clock = fixedClock(AT);
  const made = createActivity({ clock, monotonic: () => at, timeout_ms });
  return {
    activity: made,
    clock,
    /** Time goes by, by the clock and by the machine alike. */
    pass: (ms: number): void => {
      at += ms;
      clock.advance(ms);
    },
  };
}

describe('the activity of an agent', () => {
  it('G1 tells how long ago it got on whatever the clock did since', () => {
    const { activity: made, clock, pass } = activity();
    made.progress('commit');
    made.computed();
    pass(60_000);
    clock.advance(8 * HOUR);
    expect(made.progress_at).toBe('2026-11-21T18:00:00.000Z');
    clock.advance(-9 * HOUR);
    expect(made).toMatchObject({
      progress_at: '2026-11-21T09:00:00.000Z',
      cpu_at: '2026-11-21T09:00:00.000Z',
      progress_kind: 'commit',
    });
  });

  it.each([
    ['as it is made', HOUR, 10 * HOUR, HOUR],
    ['for two hours at most', 1000 * HOUR, 10 * HOUR, 2 * HOUR],
    ['for no longer than the run may take', HOUR, 1000, 1000],
  ])('holds a promise %s', (_, ms, timeout_ms, held) => {
    const { activity: made, pass } = activity(timeout_ms);
    made.promise(ms);
    expect(Date.parse(made.next_by ?? '') - Date.parse(AT)).toBe(held);
    pass(held);
    expect(made.next_by).toBeNull();
  });

  it('hands nudges on while somebody listens, and keeps them all', () => {
    const { activity: made } = activity();
    const heard: string[] = [];
    made.nudge('one');
    const end = made.onNudge((message) => heard.push(message));
    made.nudge('two');
    end();
    made.nudge('three');
    expect(heard).toEqual(['two']);
    expect(made.nudges).toEqual(['one', 'two', 'three']);
  });
});

it('G1 the time a harness stood still is not the silence of its agent', () => {
  let at = 0;
  const awake = createAwakeTime(() => at);
  for (let n = 0; n < 10; n += 1) {
    at += 400;
    awake.now();
  }
  at += 8 * HOUR;
  expect(awake.now()).toBe(4500);
  at += 1000;
  expect(awake.now()).toBe(5500);
  awake.close();
});
