import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { StageRecord } from '@caloron/noether';
import type { Action, Clock, Cursors, DagState, ProcessRow, SprintCommit, Timestamp } from '@caloron/types';

import { openStore } from '../store.ts';
import type { Store } from '../api.ts';

export const T0 = '2026-04-14T08:30:00.000Z';
export const SHA = 'a'.repeat(40);

/** A clock that stands until it is moved. */
export function testClock(at: Timestamp = T0): Clock & { advance(ms: number): void } {
  let ms = Date.parse(at);
  return { now: () => new Date(ms).toISOString(), advance: (by) => void (ms += by) };
}

/** A directory of the test's own and how to remove it. */
export function tempDir(): { readonly dir: string; readonly remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'caloron-store-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

let counter = 0;

export function uuid(): string {
  counter += 1;
  return `00000000-0000-4000-8000-${String(counter).padStart(12, '0')}`;
}

/** A store in memory with a clock that stands. */
export function memoryStore(): { readonly store: Store; readonly clock: ReturnType<typeof testClock> } {
  const clock = testClock();
  return { store: openStore(':memory:', { clock, uuid }), clock };
}

export function sprintState(sprint_id = 's1', goal = 'a login form'): DagState {
  return {
    v: 1,
    sprint_id,
    sprint: {
      sprint_id,
      goal,
      repo: 'acme/shop',
      host: null,
      base_branch: 'main',
      token_env: 'GITHUB_TOKEN',
      reviewer_token_env: null,
      agent_logins: [],
      reviewer_logins: [],
      human_logins: [],
      required_approvals: 1,
      max_review_cycles: 3,
      max_attempts: 3,
      stall_threshold_m: 20,
      cooldown_m: 10,
      merge_method: 'merge',
      verify: [],
      framework: 'stub',
      framework_options: {},
      agent_timeout_ms: 1000,
      conventions: '',
    },
    order: [],
    tasks: {},
    status: 'active',
  };
}

export const cursors: Cursors = { v: 1, log_seq: 0, forge: {} };

export function actionOf(n: number, sprint_id: string | null = 's1'): Action {
  const action_id = n.toString(16).padStart(32, '0');
  return {
    type: 'create_issue',
    action_id,
    cause: 'kickoff',
    sprint_id,
    task_id: 't1',
    agent_id: null,
    title: 'T',
    body: 'B',
    labels: [],
  };
}

export function commitOf(changes: Partial<SprintCommit> = {}): SprintCommit {
  return {
    sprint_id: 's1',
    expect_rev: 0,
    state: sprintState(),
    cursors,
    last_poll: null,
    events: [],
    actions: [],
    announce: [],
    puts: {},
    now: T0,
    ...changes,
  };
}

export function processRow(changes: Partial<ProcessRow> = {}): ProcessRow {
  return {
    process_id: 'p1',
    action_id: 'f'.repeat(32),
    agent_id: 'ada',
    sprint_id: 's1',
    task_id: 't1',
    role: 'author',
    mode: 'start',
    attempt: 1,
    pid: null,
    start_ticks: null,
    boot_id: 'boot',
    pid_ns: 'ns',
    pgid: null,
    worktree: '/w/t1',
    branch: 'caloron/s1/t1',
    base_sha: SHA,
    log_file: '/l/t1.log',
    state: 'spawning',
    exit: null,
    ...changes,
  };
}

export function stageRecord(name: string): StageRecord {
  const id = createHash('sha256').update(name).digest('hex');
  return {
    id,
    signature_id: id,
    signature: { input: 'Any', output: 'Any', effects: { effects: ['Pure'] }, implementation_hash: id },
    name,
    capabilities: [],
    cost: {},
    description: 'A stage.',
    examples: [{ input: null, output: null }],
    lifecycle: 'Active',
    ed25519_signature: null,
    signer_public_key: null,
  };
}
