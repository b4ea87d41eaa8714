import { codeOf } from '@caloron/noether/stage';
import {
  Cursors,
  DagState,
  Event,
  RepoName,
  Timestamp,
  TokenEnv,
  type ForgeChanges,
  type ForgeRepo,
  type ForgeTarget,
  type LogRead,
} from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { SprintError } from '../sprint/errors.ts';
import { exampleState, exampleTarget } from '../sprint/example.ts';
import { freshEvents, idsOf, type Candidate } from './candidate.ts';
import type { Reading } from './link.ts';
import { readEvents, TASK_LABEL } from './read_events.ts';
import { pollChecks, pollReviews } from './poll_pulls.ts';
import { Target, targetOf } from './target.ts';

const nothing: Cursors = { v: 1, log_seq: 0, forge: {} };

const heard = { updated_at: '2026-04-15T08:00:00.000Z', etag: null };
const exampleHeard: Cursors = { v: 1, log_seq: 4, forge: { issues: heard, pulls: heard, comments: heard } };

/**
 * What happened on the forge since the cursors. An idle poll is three conditional requests; reviews are asked for pull requests that
 * changed, checks for those that wait on them. The cursors are moved only after every page was read.
 */
export const githubPollEvents = defineStage({
  name: 'github_poll_events',
  description: 'Reads what happened on the forge since the cursors.',
  effects: ['Network', 'Fallible'],
  capabilities: ['forge', 'log.read'],
  input: z.object({
    target: Target.nullish(),
    state: DagState.nullish(),
    cursors: Cursors.nullish(),
    repo: RepoName.nullish(),
    token_env: TokenEnv.nullish(),
    host: z.string().nullish(),
  }),
  output: z.strictObject({
    events: z.array(Event),
    cursors: Cursors,
    /** Newest server time consumed; null before the first change. */
    last_poll: Timestamp.nullable(),
  }),
  examples: [
    {
      input: { repo: 'owner/repo', token_env: 'GITHUB_TOKEN' },
      output: {
        events: [
          {
            type: 'issue_opened',
            event_id: 'issue_opened:1',
            created_at: '2026-04-14T08:00:00.000Z',
            actor: 'ada',
            trusted: false,
            issue_number: 1,
            labels: ['bug'],
            marker: null,
          },
        ],
        cursors: {
          v: 1,
          log_seq: 0,
          forge: {
            issues: { updated_at: '2026-04-14T08:00:00.000Z', etag: null },
            pulls: { updated_at: null, etag: null },
            comments: { updated_at: null, etag: null },
          },
        },
        last_poll: '2026-04-14T08:00:00.000Z',
      },
    },
    {
      input: { target: exampleTarget, state: { ...exampleState, status: 'completed' } },
      output: { events: [], cursors: nothing, last_poll: null },
    },
    {
      input: { repo: 'owner/repo', cursors: exampleHeard },
      output: { events: [], cursors: exampleHeard, last_poll: '2026-04-15T08:00:00.000Z' },
    },
  ],
  run: async (input, { forge, log }) => {
    const state = input.state ?? null;
    const cursors = input.cursors ?? nothing;
    const idle = { events: [], cursors, last_poll: newest(cursors) };
    if (state !== null && (state.status === 'completed' || state.status === 'cancelled')) return idle;

    const target = input.target ?? plain(input);
    const repo = forge.open(target);
    const from = await startOf(repo, state, cursors);
    if (from === undefined) return idle;
    return poll(repo, { state, repo: target.repo, host: target.host }, { ...cursors, forge: from }, log);
  },
});

async function poll(
  repo: ForgeRepo,
  reading: Reading,
  cursors: Cursors,
  log: LogRead,
): Promise<{ events: Event[]; cursors: Cursors; last_poll: Timestamp | null }> {
  const at = (name: string): Timestamp | null => cursors.forge[name]?.updated_at ?? null;
  // Pulls after issues: an issue seen closed by a merge is then never without that merge.
  const [issues, comments] = await Promise.all([
    repo.changedIssues(at('issues')),
    repo.changedComments(at('comments')),
  ]);
  const pulls = await repo.changedPulls(at('pulls'));
  const reviews = await pollReviews(repo, items(pulls), reading);
  const moved: Cursors = {
    ...cursors,
    forge: {
      ...cursors.forge,
      issues: { updated_at: issues.cursor, etag: null },
      pulls: { updated_at: pulls.cursor, etag: null },
      comments: { updated_at: comments.cursor, etag: null },
    },
  };
  const last_poll = newest(moved);
  const answers = { issues: items(issues), pulls: items(pulls), comments: items(comments), reviews };
  const candidates = [
    ...readEvents(answers, reading),
    ...(await pollChecks(repo, reading.state, last_poll, false)),
  ];
  const events = await unseen(candidates, reading.state, log);
  return { events, cursors: moved, last_poll };
}

/** Leaves out what the sprint has consumed before. */
async function unseen(
  candidates: readonly Candidate[],
  state: DagState | null,
  log: LogRead,
): Promise<Event[]> {
  const ids = idsOf(candidates);
  const seen = state === null || ids.length === 0 ? [] : await log.seen(state.sprint_id, ids);
  return [...freshEvents(candidates, new Set(seen))];
}

function items<T>(changes: ForgeChanges<T>): readonly T[] {
  return changes.unchanged ? [] : changes.items;
}

/**
 * Where reading begins. A sprint's first poll begins at its first issue, by the forge's own clock: what came before cannot concern it, and
 * a whole repository's history is not read. Undefined while no task has an issue.
 */
async function startOf(
  repo: ForgeRepo,
  state: DagState | null,
  cursors: Cursors,
): Promise<Cursors['forge'] | undefined> {
  const known = Object.values(cursors.forge).some(({ updated_at }) => updated_at !== null);
  if (state === null || known) return cursors.forge;
  const numbers = Object.values(state.tasks).flatMap(({ issue_number }) => issue_number ?? []);
  if (numbers.length === 0) return undefined;
  const start = { updated_at: await firstIssueAt(repo, state, numbers), etag: null };
  return { issues: start, pulls: start, comments: start };
}

/** When the first issue of a sprint was made. A person may have deleted it: then the first there still is, else the sprint's own beginning. */
async function firstIssueAt(
  repo: ForgeRepo,
  { tasks }: DagState,
  numbers: readonly number[],
): Promise<Timestamp | null> {
  try {
    return (await repo.issue(Math.min(...numbers))).created_at;
  } catch (error) {
    if (codeOf(error) !== 'FORGE_NOT_FOUND') throw error;
    const labelled = await repo.issuesWithLabel(TASK_LABEL);
    const left = labelled.filter(({ number }) => numbers.includes(number));
    const times =
      left.length > 0 ? left.map((i) => i.created_at) : Object.values(tasks).map((t) => t.status_at);
    return times.toSorted()[0] ?? null;
  }
}

function newest({ forge }: Cursors): Timestamp | null {
  const times = Object.values(forge).flatMap(({ updated_at }) => updated_at ?? []);
  return times.sort().at(-1) ?? null;
}

function plain(input: {
  readonly repo?: string | null | undefined;
  readonly token_env?: string | null | undefined;
  readonly host?: string | null | undefined;
}): ForgeTarget {
  if (!input.repo) throw new SprintError('SPRINT_TARGET_MISSING', { stage: 'github_poll_events' });
  return targetOf({ ...input, repo: input.repo });
}
