import { type DagState, newTask, Sprint, type Task } from '@caloron/types';
import stringWidth from 'string-width';
import { describe, expect, it, vi } from 'vitest';

import { changeLine, changesOf, statusScreen, type Watched, watchStatus } from './status-watch.ts';
import type { TaskFacts } from './task-facts.ts';

const AT = '2026-01-02T03:04:05.000Z';
const WAIT = { timeout: 30_000 };
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const ESCAPES = /\u001b\[[\d;]*[a-zA-Z]/g;

const sprint = Sprint.parse({
  sprint_id: 's1',
  goal: 'g',
  repo: 'owner/name',
  host: null,
  base_branch: 'main',
  token_env: 'TOKEN',
  reviewer_token_env: null,
  agent_logins: [],
  reviewer_logins: [],
  human_logins: [],
  required_approvals: 1,
  max_review_cycles: 3,
  max_attempts: 3,
  stall_threshold_m: 20,
  cooldown_m: 10,
  merge_method: 'squash',
  verify: [],
  framework: 'stub',
  framework_options: {},
  agent_timeout_ms: 1000,
  conventions: '',
});

function stateOf(tasks: readonly (Partial<Task> & { readonly id: string })[], status = 'active'): Watched {
  const made = tasks.map((given): Task => {
    const start = { title: 't', description: '', depends_on: [], agent_id: 'agent-1', reviewer_id: null };
    return { ...newTask('s1', { ...start, id: given.id }, AT), ...given };
  });
  const state: DagState = {
    v: 1,
    sprint_id: 's1',
    sprint,
    order: made.map(({ id }) => id),
    tasks: Object.fromEntries(made.map((task) => [task.id, task])),
    status: status as DagState['status'],
  };
  return { state, paused: null };
}

const many = stateOf(
  Array.from({ length: 40 }, (_, n) => ({
    id: `task-${n}-größe-界界`.replaceAll(/[^a-z0-9-]/g, 'x'),
    status: n % 2 === 0 ? ('Blocked' as const) : ('Done' as const),
    status_reason:
      'spawn_failed: WORKTREE_FAILED a long reason that fills the line 界界界界 and more than that',
  })),
);

/** What is known of tasks whose agents' last sign is this long ago. */
function factsOf(
  ids: readonly string[],
  liveness: TaskFacts['liveness'],
  seconds = 12,
): ReadonlyMap<string, TaskFacts> {
  const spent = { tokens: 12_000, micro_usd: 420_000, ms: 60_000, unpriced: 0 };
  const facts: TaskFacts = {
    evidence: `${liveness}, files ${seconds} s`,
    used: '12 000/50 000 tokens, $0.42',
    liveness,
    sign: { at: AT, kind: 'files' },
    waits: null,
    spent,
  };
  return new Map(ids.map((id) => [id, facts]));
}

describe('the changes of a sprint', () => {
  it('are all of it at first, then what stands elsewhere, and nothing when nothing does', () => {
    const before = stateOf([{ id: 'a' }, { id: 'b' }]);
    expect(changesOf(undefined, before).map(({ task_id, from }) => [task_id, from])).toEqual([
      ['a', null],
      ['b', null],
      [null, null],
    ]);
    const after = stateOf([{ id: 'a' }, { id: 'b', status: 'InProgress', attempt: 1 }]);
    expect(changesOf(before, after)).toMatchObject([{ task_id: 'b', from: 'Pending', status: 'InProgress' }]);
    expect(changesOf(before, structuredClone(before))).toEqual([]);
    const over = stateOf([{ id: 'a' }, { id: 'b' }], 'completed');
    expect(changesOf(before, over)).toMatchObject([{ task_id: null, from: 'active', status: 'completed' }]);
  });

  it('tell that the sprint was paused, by whom and since when, and that it goes on', () => {
    const going = stateOf([{ id: 'a' }]);
    const paused = { ...going, paused: { by: 'ada', at: AT, stopped: true } };
    expect(changesOf(going, paused).map(changeLine)).toEqual([
      `sprint    s1  active → paused  (paused by ada since ${AT}, its agents stopped)`,
    ]);
    expect(changesOf(paused, going).map(changeLine)).toEqual(['sprint    s1  paused → active']);
    expect(changesOf(paused, { ...paused })).toEqual([]);
  });

  it('tell that the forge is away, why and until when, and that it is back', () => {
    const going = stateOf([{ id: 'a' }]);
    const away = { since: AT, until: null, code: 'FORGE_UNAVAILABLE', message: 'no answer\u001b came' };
    const lost = { ...going, away };
    expect(changesOf(going, lost).map(changeLine)).toEqual([
      `sprint    s1  active  (forge away since ${AT}: FORGE_UNAVAILABLE: no answer  came)`,
    ]);
    const until = '2026-01-02T03:30:00.000Z';
    const limited = { ...going, away: { ...away, code: 'FORGE_RATE_LIMITED', until } };
    expect(changesOf(lost, limited).map(changeLine)).toEqual([
      `sprint    s1  active  (forge away since ${AT} until ${until}: FORGE_RATE_LIMITED: no answer  came)`,
    ]);
    expect(changesOf(lost, structuredClone(lost))).toEqual([]);
    expect(changesOf(lost, going).map(changeLine)).toEqual(['sprint    s1  active  (the forge is back)']);
    expect(changesOf(undefined, lost)).toHaveLength(2);
    const paused = { ...lost, paused: { by: 'ada', at: AT, stopped: false } };
    expect(changesOf(going, paused).map(changeLine)).toEqual([
      expect.stringContaining(`(paused by ada since ${AT}, forge away since ${AT}: `),
    ]);
  });

  it('O7 tell that an agent counts as alive otherwise, and what its task has used', () => {
    const { state } = stateOf([{ id: 'a', status: 'InProgress', attempt: 1 }, { id: 'b' }]);
    const live: Watched = { state, paused: null, facts: factsOf(['a'], 'live') };
    const quiet: Watched = { state, paused: null, facts: factsOf(['a'], 'quiet', 700) };
    expect(changesOf(live, quiet).map(changeLine)).toEqual([
      '03:04:05  a  InProgress  (agent-1, attempt 1, quiet, 12 000 tokens, $0.42)',
    ]);
    expect(changesOf(live, quiet)).toMatchObject([
      {
        liveness: 'quiet',
        evidence: { kind: 'files', at: AT },
        used: { tokens: 12_000, micro_usd: 420_000 },
      },
    ]);
    const later: Watched = { ...quiet, facts: factsOf(['a'], 'quiet', 702) };
    expect(changesOf(quiet, later)).toEqual([]);
    expect(changesOf(quiet, { state, paused: null, facts: new Map() })).toEqual([]);
  });

  it('are a line each, whatever a reason holds', () => {
    const reason = { id: 'b', status: 'Blocked' as const, status_reason: 'x\u001b[2J\ny', pr_number: 4 };
    const lines = changesOf(stateOf([{ id: 'b' }]), stateOf([reason])).map(changeLine);
    expect(lines).toEqual(['03:04:05  b  Pending → Blocked  (x [2J y, agent-1, PR #4)']);
  });
});

describe('the screen of a sprint', () => {
  it.each([10, 24, 40, 60, 80, 200])('fits into a terminal of %i columns and 12 rows', (columns) => {
    for (const colours of [true, false]) {
      const lines = statusScreen(many, { columns, rows: 12, colours });
      for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
      expect(lines.length).toBeLessThan(12);
    }
  });

  it('tells below the sprint why its forge is asked nothing, and until when', () => {
    const forge = 'forge: https://git.example.org: nothing is asked until 08:50:00 UTC: slow down';
    const [, second, third] = statusScreen(
      { ...many, forge: [forge], used: '7 tokens' },
      { columns: 40, rows: 12, colours: false },
    );

    expect(second).toMatch(/^forge: https:\/\/git\.example\.org/);
    expect(stringWidth(second ?? '')).toBeLessThanOrEqual(40);
    expect(third).toBe('7 tokens');
  });

  it('leaves out what matters least first and says how many tasks it does not show', () => {
    const [, , head, ...rest] = statusScreen(many, { columns: 60, rows: 12, colours: false });
    expect(head).toMatch(/^task +status .*why$/);
    expect(head).not.toMatch(/reviews/);
    expect(rest.at(-1)).toMatch(/^… and 33 more$/);
    const [, , wide] = statusScreen(many, { columns: 200, rows: 12, colours: false });
    expect(wide).toMatch(/^task +status +agent +issue +PR +attempts +reviews +why$/);
  });

  it.each([200, 80, 50, 36, 20])(
    'O7 tells in %i columns how alive each agent is, and in all that are read what it has used',
    (columns) => {
      const ids = ['login-form', 'session'];
      const { state } = stateOf([...ids, 'last'].map((id) => ({ id, status: 'InProgress' as const })));
      const watched: Watched = { state, paused: null, facts: factsOf(ids, 'live'), used: 'used $0.84' };
      const lines = statusScreen(watched, { columns, rows: 24, colours: false });
      for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
      expect(lines.join('\n').match(/live, files 12 s/g)).toHaveLength(2);
      if (columns > 20) expect(lines.join('\n').match(/12 000/g)).toHaveLength(2);
      expect(lines[1]).toBe('used $0.84');
    },
  );

  it('shows what is worked on before what is over, where not all have room', () => {
    const tasks = Array.from({ length: 30 }, (_, n) => ({
      id: `t${n}`,
      status: n < 25 ? ('Done' as const) : ('InProgress' as const),
    }));
    const facts = factsOf(['t25', 't26', 't27', 't28', 't29'], 'live');
    const shown = { ...stateOf(tasks), facts };
    const wide = statusScreen(shown, { columns: 120, rows: 12, colours: false });
    expect(wide.slice(3).map((line) => line.split(' ')[0])).toEqual([
      't0',
      't1',
      't25',
      't26',
      't27',
      't28',
      't29',
      '…',
    ]);
    const narrow = statusScreen(shown, { columns: 40, rows: 12, colours: false });
    expect(narrow.length).toBeLessThan(12);
    expect(narrow.join('\n')).toMatch(/t25[^]*t27[^]*… and 27 more$/);
  });

  it('has no colour where none is wanted', () => {
    const terminal = { columns: 80, rows: 50 };
    expect(statusScreen(many, { ...terminal, colours: false }).join('')).not.toMatch(ESCAPES);
    expect(statusScreen(many, { ...terminal, colours: true }).join('')).toMatch(ESCAPES);
  });
});

describe('watching a sprint', () => {
  const states = [
    stateOf([{ id: 'a' }]),
    stateOf([{ id: 'a', status: 'InProgress' }]),
    stateOf([{ id: 'a', status: 'Done' }], 'completed'),
  ] as const;

  function watching(json: boolean, terminal?: { columns: number; rows: number; colours: boolean }) {
    const said: string[] = [];
    const control = new AbortController();
    let at = 0;
    const io = { out: (text: string) => said.push(text), err: () => undefined };
    const ended = watchStatus({
      io: terminal === undefined ? io : { ...io, terminal },
      json,
      redraws: terminal !== undefined,
      signal: control.signal,
      lastSeq: () => at,
      load: () => Promise.resolve(states[at]!),
    });
    return { said, control, ended, next: () => (at += 1) };
  }

  it('draws the screen anew at a change of the sprint or of the size, and not else', async () => {
    const terminal = { columns: 80, rows: 10, colours: false };
    const { said, ended, next } = watching(false, terminal);
    await vi.waitFor(() => expect(said.length).toBe(1), WAIT);
    expect(said[0]).toContain('\u001b[2J\u001b[H');
    next();
    await vi.waitFor(() => expect(said.length).toBe(2), WAIT);
    expect(said[1]).toMatch(/InProgress/);
    expect(said[1]).not.toContain('\u001b[2J');
    terminal.columns = 20;
    await vi.waitFor(() => expect(said.length).toBe(3), WAIT);
    for (const line of said[2]!.replaceAll(ESCAPES, '').split('\n'))
      expect(stringWidth(line)).toBeLessThanOrEqual(20);
    next();
    expect((await ended).state.status).toBe('completed');
    expect(said.length).toBe(4);
  });

  it('O7 looks at the signs of life and what is used while nothing else happens', async () => {
    const said: string[] = [];
    const control = new AbortController();
    let seconds = 0;
    const { state } = stateOf([{ id: 'a', status: 'InProgress' }]);
    const ended = watchStatus({
      io: { out: (text) => said.push(text), err: () => undefined, terminal: { columns: 80, colours: false } },
      json: false,
      redraws: true,
      signal: control.signal,
      lastSeq: () => 1,
      load: () => Promise.resolve({ state, paused: null, facts: factsOf(['a'], 'live', (seconds += 2)) }),
      facts_ms: 1,
    });
    await vi.waitFor(() => expect(said.join('')).toMatch(/live, files 2 s[^]*live, files 4 s/), WAIT);
    control.abort();
    await ended;
    expect(said[1]).not.toContain('\u001b[2J');
  });

  it('is a line or an object per change where no terminal shows it, and ends with its sprint', async () => {
    const text = watching(false);
    const json = watching(true);
    for (const { said, next } of [text, json]) {
      await vi.waitFor(() => expect(said.length).toBe(2), WAIT);
      next();
      await vi.waitFor(() => expect(said.length).toBe(3), WAIT);
      next();
    }
    await Promise.all([text.ended, json.ended]);
    expect(text.said.join('')).toMatch(
      /^.*a {2}Pending .*\nsprint .*active\n.*Pending → InProgress.*\n.*InProgress → Done.*\nsprint .*active → completed\n$/,
    );
    expect(json.said.map((line) => (JSON.parse(line) as { status: string }).status)).toEqual([
      'Pending',
      'active',
      'InProgress',
      'Done',
      'completed',
    ]);
    expect([...text.said, ...json.said].join('')).not.toMatch(ESCAPES);
  });

  it('ends when it is interrupted', async () => {
    const { said, control, ended } = watching(false);
    await vi.waitFor(() => expect(said.length).toBe(2), WAIT);
    control.abort();
    expect((await ended).state.status).toBe('active');
  });
});
