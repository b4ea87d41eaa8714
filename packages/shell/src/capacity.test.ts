import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import type { Capacity as Settings, SpawnRequest } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { createCapacity, MIN_INODES } from './capacity.ts';
import { type Machine, systemMachine } from './machine/readings.ts';
import type { RunningShell } from './start.ts';
import { createFixture, exampleSprint, type Fixture, SHELL_TOKEN, spawnOf } from './testing/fixture.ts';

const Refusal = z.strictObject({
  ok: z.literal(false),
  code: z.string(),
  error: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});

describe('a shell with room for some', () => {
  let fixture: Fixture;
  let shell: RunningShell;
  beforeEach(async () => {
    fixture = await createFixture();
    shell = await fixture.start();
  });
  afterEach(() => fixture.close());

  const post = async (path: string, body: unknown): Promise<Response> =>
    fetch(`${shell.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-caloron-token': SHELL_TOKEN },
      body: JSON.stringify(body),
    });
  const spawn = (changes: Partial<SpawnRequest>): Promise<Response> => post('/spawn', spawnOf(changes));
  const refused = async (answer: Response): Promise<z.infer<typeof Refusal>> => {
    expect(answer.status).toBe(503);
    return Refusal.parse(await answer.json());
  };
  /** Sprint `s1` with so many tasks, each with an agent of its own, under these settings. */
  const kickoff = async (capacity: Settings, tasks = 2): Promise<void> => {
    const state = await fixture.kickoff();
    const { t1 } = state.tasks;
    if (t1 === undefined) throw new Error('the fixture has a task t1');
    const ids = Array.from({ length: tasks }, (_, n) => `t${n + 1}`);
    const { state: store } = fixture.store.forRun({ run_id: 'test', lease: null });
    const { rev, cursors } = await store.load('s1');
    await store.commit({
      sprint_id: 's1',
      expect_rev: rev,
      state: {
        ...state,
        sprint: { ...state.sprint, capacity },
        order: ids,
        tasks: Object.fromEntries(
          ids.map((id, n) => [id, { ...t1, id, agent_id: `agent-${n + 1}`, issue_number: n + 1 }]),
        ),
      },
      cursors,
      last_poll: null,
      events: [],
      actions: [],
      announce: [],
      puts: {},
      now: '2026-04-14T08:30:00.000Z',
    });
  };

  it.each([
    ['CAPACITY_SPRINT', { sprint: 1 }, { sprint_id: 's1', limit: 1, running: 1 }],
    ['CAPACITY_HOST', { host: 1 }, { limit: 1, running: 1 }],
    [
      'CAPACITY_FRAMEWORK',
      { frameworks: { 'claude-code': 1, constructor: 1 } },
      { framework: 'claude-code', limit: 1, running: 1 },
    ],
  ] as const)(
    'D6 %s: of starts at once it takes as many as it may, and one more when one has ended',
    async (code, settings, details) => {
      await kickoff(settings, 4);

      const answers = await Promise.all(
        Array.from({ length: 4 }, (_, n) => spawn({ task_id: `t${n + 1}`, agent_id: `agent-${n + 1}` })),
      );

      const good = answers.filter(({ status }) => status === 200);
      expect(good).toHaveLength(1);
      expect(fixture.store.processes.open()).toHaveLength(1);
      for (const answer of answers.filter(({ status }) => status !== 200))
        expect(await refused(answer)).toMatchObject({ code, retryable: true, details });

      const [row] = fixture.store.processes.open();
      expect((await post('/stop', { process_id: row?.process_id, grace_ms: 0 })).status).toBe(200);
      const left = answers.findIndex(({ status }) => status !== 200);
      expect((await spawn({ task_id: `t${left + 1}`, agent_id: `agent-${left + 1}` })).status).toBe(200);
    },
  );

  it('refuses a start on a full machine with what is there and what must be, and begins nothing', async () => {
    await kickoff({ min_disk_mb: 2 ** 40 });
    const disk = await refused(await spawn({}));
    expect(disk).toMatchObject({ code: 'CAPACITY_DISK', details: { min_mb: 2 ** 40 } });
    expect(disk.error).toMatch(
      /^\d+ MiB are free at .*worktrees, 1099511627776 MiB must be \(capacity\.min_disk_mb\) \(delete /,
    );

    expect(fixture.store.processes.list()).toEqual([]);
    expect(fixture.store.processes.byAction('0'.repeat(32))).toBeUndefined();
  });

  it('refuses a start where memory is short, by the lower of the machine and its control group', async () => {
    await kickoff({ min_memory_mb: 2 ** 40 });
    const memory = await refused(await spawn({}));
    expect(memory).toMatchObject({ code: 'CAPACITY_MEMORY', details: { min_mb: 2 ** 40 } });
    expect(Number(memory.details?.['available_mb'])).toBeGreaterThan(0);
  });

  it('starts no agent of a paused sprint, leaves no token behind, and starts it once it goes on', async () => {
    await kickoff({});
    const key = 'caloron:s1:paused';
    const { kv } = fixture.store;
    await kv.put(key, { by: 'ada', at: '2026-04-14T08:30:00.000Z', stopped: false });
    const action_id = 'a'.repeat(32);

    expect(await refused(await spawn({ action_id }))).toMatchObject({
      code: 'SPRINT_PAUSED',
      retryable: true,
    });
    expect(fixture.store.processes.open()).toEqual([]);
    const left = readdirSync(join(fixture.home, '.caloron', 'agents'), { recursive: true });
    expect(left.filter((name) => String(name).endsWith('order.json'))).toEqual([]);

    await kv.delete(key);
    expect((await spawn({ action_id })).status).toBe(200);
  });
});

describe('room on a machine', () => {
  const plenty: Machine = {
    memory: () => ({ available_mb: 4096, source: 'test' }),
    disk: () => ({ free_mb: 4096, free_files: 1_000_000 }),
    load: () => ({ per_core: 1, cores: 4 }),
  };
  let fixture: Fixture;
  beforeEach(async () => void (fixture = await createFixture()));
  afterEach(() => fixture.close());

  const ask = async (machine: Partial<Machine>, capacity: Settings = {}): Promise<string> => {
    const deps = { store: fixture.store, table: { alive: () => true }, worktrees: '/w' };
    const room = createCapacity({ ...deps, machine: { ...plenty, ...machine } });
    const start = { action_id: 'a', sprint: { ...exampleSprint, capacity } };
    return room.within(start, () => Promise.resolve('begun')).catch((error: unknown) => String(error));
  };

  const short: readonly (readonly [string, Partial<Machine>, Settings, string])[] = [
    ['memory', { memory: () => ({ available_mb: 511, source: 'test' }) }, {}, '511 MiB of memory'],
    ['disk', { disk: () => ({ free_mb: 1023, free_files: null }) }, {}, '1023 MiB are free at /w'],
    ['files', { disk: () => ({ free_mb: 4096, free_files: MIN_INODES - 1 }) }, {}, '9999 more files'],
    [
      'load',
      { load: () => ({ per_core: 4.126, cores: 4 }) },
      { max_load_per_core: 4 },
      'load is 4.13 per core of 4',
    ],
  ];
  it.each(short)('G13 needs %s', async (_what, machine, settings, said) => {
    expect(await ask(machine, settings)).toContain(said);
  });

  const enough: readonly (readonly [string, Partial<Machine>, Settings])[] = [
    [
      'has just enough',
      {
        memory: () => ({ available_mb: 512, source: '' }),
        disk: () => ({ free_mb: 1024, free_files: MIN_INODES }),
      },
      {},
    ],
    [
      'has its guards off',
      { memory: () => ({ available_mb: 0, source: '' }), disk: () => ({ free_mb: 0, free_files: 0 }) },
      { min_memory_mb: 0, min_disk_mb: 0 },
    ],
    [
      'tells nothing',
      { memory: () => undefined, disk: () => undefined, load: () => undefined },
      { max_load_per_core: 1 },
    ],
    ['counts no files', { disk: () => ({ free_mb: 4096, free_files: null }) }, {}],
    ['is loaded where nobody set a limit', { load: () => ({ per_core: 99, cores: 4 }) }, {}],
  ];
  it.each(enough)('is there on one that %s', async (_what, machine, settings) => {
    expect(await ask(machine, settings)).toBe('begun');
  });

  it('keeps no place for a start that failed', async () => {
    const deps = { store: fixture.store, table: { alive: () => true }, worktrees: '/w', machine: plenty };
    const room = createCapacity(deps);
    const sprint = { ...exampleSprint, capacity: { host: 1 } };
    const fails = room.within({ action_id: 'a', sprint }, () => Promise.reject(new Error('no base branch')));
    await expect(fails).rejects.toThrow('no base branch');
    expect(await room.within({ action_id: 'b', sprint }, () => Promise.resolve('begun'))).toBe('begun');
  });
});

describe('what a machine has left', () => {
  let root: string;
  beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'caloron-machine-'))));
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const lay = (files: Readonly<Record<string, string | number>>): void => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), `${text}\n`);
    }
  };
  const MIB = 1024 * 1024;
  const meminfo = {
    'proc/meminfo': 'MemTotal:       99999999 kB\nMemAvailable:    4194304 kB\nBuffers: 1 kB',
  };
  const left = (): number | undefined => systemMachine(root).memory()?.available_mb;

  it.each([
    ['the host where nothing limits it', { 'proc/self/cgroup': '0::/' }, 4096],
    [
      'the host where the limit is none',
      {
        'proc/self/cgroup': '0::/a',
        'sys/fs/cgroup/a/memory.max': 'max',
        'sys/fs/cgroup/a/memory.current': 5,
      },
      4096,
    ],
    [
      'a group of version 2, its inactive file pages taken for free',
      {
        'proc/self/cgroup': '0::/a/b',
        'sys/fs/cgroup/a/b/memory.max': 1024 * MIB,
        'sys/fs/cgroup/a/b/memory.current': 1000 * MIB,
        'sys/fs/cgroup/a/b/memory.stat': `anon 1\ninactive_file ${100 * MIB}\nactive_file 7`,
      },
      124,
    ],
    [
      'a group above it',
      {
        'proc/self/cgroup': '0::/a/b',
        'sys/fs/cgroup/a/b/memory.max': 'max',
        'sys/fs/cgroup/a/b/memory.current': 1,
        'sys/fs/cgroup/a/memory.max': 300 * MIB,
        'sys/fs/cgroup/a/memory.current': 290 * MIB,
      },
      10,
    ],
    [
      'a group of version 1 beside others',
      {
        'proc/self/cgroup': '5:cpu:/x\n4:memory,pids:/job\n1:name=systemd:/\n0::/',
        'sys/fs/cgroup/memory/job/memory.limit_in_bytes': 256 * MIB,
        'sys/fs/cgroup/memory/job/memory.usage_in_bytes': 300 * MIB,
        'sys/fs/cgroup/memory/job/memory.stat': 'total_inactive_file 0',
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
        'sys/fs/cgroup/memory/memory.usage_in_bytes': 1,
      },
      0,
    ],
    [
      'a container that is told the path of its host',
      {
        'proc/self/cgroup': '0::/docker/0123',
        'sys/fs/cgroup/memory.max': 64 * MIB,
        'sys/fs/cgroup/memory.current': 0,
      },
      64,
    ],
  ])('in memory is by %s', (_what, files, wanted) => {
    lay({ ...meminfo, ...files });
    expect(left()).toBe(wanted);
  });

  it('is unknown where nobody tells', () => {
    const machine = systemMachine(root);
    expect([machine.memory(), machine.load(), machine.disk(join(root, 'nothing'))]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is told by this very machine', () => {
    const machine = systemMachine();
    expect(machine.memory()?.available_mb).toBeGreaterThan(0);
    expect(machine.disk(root)?.free_mb).toBeGreaterThan(0);
    expect(machine.load()?.per_core).toBeGreaterThanOrEqual(0);
  });
});
