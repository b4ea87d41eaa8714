import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { EndClass, type Task } from '@caloron/types';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';

import { type Attempt, SprintWorld } from '../support/sprint-world.ts';
import { type Tasks, Ticks } from '../support/ticks.ts';

const SPRINT = 'classes';
/** How a program ends by itself; what is stopped did not. */
const KINDS = EndClass.options.filter((kind) => kind !== 'stopped');
/** How long the used-up quota lasts: longer than the test, shorter than an agent may be silent. */
const QUOTA_MS = 60_000;

const world = new SprintWorld({ settings: { num_agents: KINDS.length, required_approvals: 0 } });
let ticks: Ticks;

beforeAll(async () => {
  for (const kind of KINDS) world.script(nameOf(kind), ...attemptsOf(kind));
  await world.start();
  ticks = new Ticks(world, { sprint_id: SPRINT, deadline_ms: 60_000 });
});
afterAll(() => world.close());

/** A task is named after the class its first attempt ends in; the second one does the work. */
function attemptsOf(kind: EndClass): readonly Attempt[] {
  const end = { class: kind, ...(kind === 'quota' ? { reset_in_ms: QUOTA_MS } : {}) };
  const file = `${nameOf(kind)}.txt`;
  return [
    { steps: [{ say: 'begun' }], end },
    { steps: [{ write: file, content: 'done\n' }, { commit: `Write ${file}` }] },
  ];
}

function nameOf(kind: EndClass): string {
  return kind.replace('_', '-');
}

/** Each task as it stood when its first attempt had ended: a second attempt has to wait for another tick. */
const ended = new Map<string, Task>();

function ticksUntil(expected: (now: Tasks) => void): Promise<void> {
  return ticks.until(expected, (now) => {
    for (const task of Object.values(now))
      if (task.attempt === 1 && task.process_id === null && !ended.has(task.id)) ended.set(task.id, task);
  });
}

/** The classes the ended processes left in their exit files. */
async function classesOnDisk(): Promise<readonly string[]> {
  const Listed = z.object({ data: z.array(z.object({ process_id: z.string() })) });
  const listed = Listed.parse(JSON.parse(await world.said('agents', '--sprint', SPRINT, '--output', 'json')));
  return listed.data.flatMap(({ process_id }) => {
    const file = join(world.home, '.caloron/agents', process_id, 'exit.json');
    // A second attempt may have begun.
    if (!existsSync(file)) return [];
    const Exit = z.object({ cause: z.object({ class: z.string() }).optional() });
    return Exit.parse(JSON.parse(readFileSync(file, 'utf8'))).cause?.class ?? [];
  });
}

/** The row of a task in what `status` says. */
async function statusOf(task: string): Promise<string | undefined> {
  const rows = (await world.said('status', '--sprint', SPRINT)).split('\n');
  return rows.find((row) => row.startsWith(`${task} `));
}

it('D19 O7 G4 an agent that ends in a class is treated by it, and a held provider starts nothing until it serves again', async () => {
  await world.kickoff(
    SPRINT,
    KINDS.map((kind) => `[${nameOf(kind)}] End in ${kind}`),
  );

  const again = {
    status: 'InProgress',
    attempt: 1,
    process_id: null,
    retry_at: expect.any(String) as string,
  };
  const failed = { ...again, failed_attempts: 1 };
  const parked = { ...again, failed_attempts: 0, parked: 1 };
  await ticksUntil(() =>
    expect(Object.fromEntries(ended)).toMatchObject({
      transient: failed,
      'rate-limit': parked,
      quota: { ...parked, provider_limit: { provider: 'stub', until: expect.any(String) as string } },
      auth: { status: 'Blocked', status_reason: 'provider_auth' },
      billing: { status: 'Blocked', status_reason: 'provider_billing' },
      'gave-up': { status: 'Blocked', status_reason: 'agent_gave_up' },
      crash: failed,
      timeout: failed,
    }),
  );
  expect(new Set(await classesOnDisk())).toEqual(new Set(KINDS));

  // A credential is refused: what becomes Ready now waits for the person who can set another.
  await world.said('resolve', 'gave-up', '--sprint', SPRINT);
  await ticksUntil((now) =>
    expect(now['gave-up']).toMatchObject({
      status: 'Ready',
      status_reason: 'provider_limited: stub until a person answers',
    }),
  );
  expect(await statusOf('quota')).toContain('; provider_limited: stub until a person answers');
  for (const task of ['auth', 'billing']) await world.said('take-over', task, '--sprint', SPRINT);
  const until = (await ticks.tasks())['quota']?.provider_limit?.until;
  await ticksUntil((now) =>
    expect(now['gave-up']?.status_reason).toBe(`provider_limited: stub until ${until}`),
  );
  expect(await statusOf('quota')).toContain(`; provider_limited: stub until ${until}`);

  // The quota is there again: what waited for it goes on by itself.
  ticks.ahead_ms = QUOTA_MS + 35_000;
  await ticksUntil((now) => {
    for (const id of ['quota', 'gave-up', 'crash']) {
      expect(now[id]?.attempt).toBeGreaterThan(1);
      expect(now[id]?.status).toBe('Done');
    }
  });
});
