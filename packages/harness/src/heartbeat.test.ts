import { createLogger } from '@caloron/capabilities/logger';
import { fixedClock } from '@caloron/capabilities/clock';
import type { HeartbeatReply, Order } from '@caloron/types';
import { describe, expect, it, vi } from 'vitest';

import { createActivity } from './activity.ts';
import { HarnessError } from './errors.ts';
import { beatAfter, startHeartbeat } from './heartbeat.ts';

const order = { agent_id: 'a1', sprint_id: 's1', heartbeat_ms: 20 } as unknown as Order;
const AT = '2026-11-21T10:00:00.000Z';

function beating(answers: (() => HeartbeatReply)[], looks: (string | undefined)[] = []) {
  const beats: { progress_at?: string | null | undefined; tokens_used?: number | null | undefined }[] = [];
  const stops: string[] = [];
  const nudges: string[] = [];
  const activity = createActivity({ clock: fixedClock(AT), monotonic: () => 0, timeout_ms: 60_000 });
  const beat = startHeartbeat({
    order,
    activity,
    logger: createLogger({ name: 'test', level: 'silent' }),
    clock: fixedClock(AT),
    shell: {
      async heartbeat(body) {
        beats.push(body);
        return (answers.shift() ?? quiet)();
      },
      report: async () => undefined,
      credential: async () => {
        throw new Error('not asked');
      },
    },
    look: async () => looks.shift(),
    worked: () => false,
    onStop: (reason) => stops.push(reason),
    onNudge: (message) => nudges.push(message),
  });
  return { beats, stops, nudges, activity, beat };
}

const quiet = (): HeartbeatReply => ({ ok: true, command: null, message: null });
const unreachable = (): never => {
  throw new HarnessError('HARNESS_SHELL_UNREACHABLE', { url: 'x', reason: 'down' }, { retryable: true });
};

describe('the heartbeat', () => {
  it('beats at once and goes on', async () => {
    const { beats, beat } = beating([]);

    await vi.waitFor(() => expect(beats.length).toBeGreaterThanOrEqual(3), { timeout: 30_000 });
    await beat.stop();
    const then = beats.length;

    expect(beats[0]).toMatchObject({ progress_at: null, tokens_used: 0, sent_at: AT });
    expect(beats).toHaveLength(then);
  });

  it('O7 comes soon at first, so that an agent that works is seen to, and then as often as it is to', () => {
    expect([0, 1, 2, 3, 4, 5000].map((n) => beatAfter(n, 60_000))).toEqual([
      5000, 10_000, 20_000, 40_000, 60_000, 60_000,
    ]);
    expect(beatAfter(0, 20)).toBe(20);
  });

  it('goes on after failures', async () => {
    const { beats, beat } = beating([unreachable, unreachable]);

    await vi.waitFor(() => expect(beats.length).toBeGreaterThanOrEqual(4), { timeout: 30_000 });
    await beat.stop();
  });

  it('hands on what the shell wants', async () => {
    const { stops, nudges, beat } = beating([
      () => ({ ok: true, command: 'nudge', message: 'how far are you?' }),
      () => ({ ok: true, command: 'stop', message: null }),
    ]);

    await vi.waitFor(() => expect(stops).toHaveLength(1), { timeout: 30_000 });
    await beat.stop();

    expect(nudges).toEqual(['how far are you?']);
  });

  it('counts a changed worktree as progress, an equal or unreadable one not', async () => {
    const still = beating([], ['a', 'a', undefined, 'a']);
    const moved = beating([], ['a', 'b']);

    await vi.waitFor(() => expect(still.beats.length).toBeGreaterThanOrEqual(5), { timeout: 30_000 });
    await vi.waitFor(() => expect(moved.beats.length).toBeGreaterThanOrEqual(2), { timeout: 30_000 });
    await Promise.all([still.beat.stop(), moved.beat.stop()]);

    expect(still.activity.progress_at).toBeNull();
    expect(moved.beats[1]?.progress_at).toBe(AT);
  });
});
