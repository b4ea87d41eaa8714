import { codeOf } from '@caloron/noether/stage';
import {
  Cursors,
  DagState,
  Event,
  ForgeAway,
  RepoName,
  Timestamp,
  TokenEnv,
  type ForgeChanges,
  type ForgeRepo,
  type ForgeTarget,
  type Ignored,
  type ListCursor,
  type LogRead,
} from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { SprintError } from '../sprint/errors.ts';
import { exampleState, exampleTarget } from '../sprint/example.ts';
import { awayOf } from './away.ts';
import { freshEvents, idsOf, type Candidate } from './candidate.ts';
import { ignoredOf, IgnoredShape } from './ignored.ts';
import { readLabels } from './labels.ts';
import type { Reading } from './link.ts';
import { readEvents, TASK_LABEL } from './read_events.ts';
import { pollChecks, pollReviews } from './poll_pulls.ts';
import { Target, targetOf } from './target.ts';

const nothing: Cursors = { v: 1, log_seq: 0, forge: {} };

const heard = { updated_at: '2026-04-15T08:00:00.000Z', etag: null };
const exampleHeard: Cursors = { v: 1, log_seq: 4, forge: { issues: heard, pulls: heard, comments: heard } };

/**
 * What happened on the forge since the cursors. An idle poll is three conditional requests; reviews are asked for pull requests that
 * changed, checks for those that wait on them. The cursors are moved only after every page was read. In a tick (`now` is given) an outage
 * of the forge is told in `away`, and the next poll goes on from the same cursors.
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
    /** A tick's time. Without it an outage is an error. */
    now: Timestamp.nullish(),
  }),
  output: z.strictObject({
    events: z.array(Event),
    cursors: Cursors,
    /** Newest server time consumed; null before the first change. */
    last_poll: Timestamp.nullable(),
    /** Since when and until when the forge is away; null when it answered. */
    away: ForgeAway.nullable(),
    /** What would move a task and does not count, with the reason. */
    ignored: z.array(IgnoredShape),
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
        away: null,
        ignored: [],
      },
    },
    {
      input: { target: exampleTarget, state: { ...exampleState, status: 'completed' } },
      output: { events: [], cursors: nothing, last_poll: null, away: null, ignored: [] },
    },
    {
      input: { repo: 'owner/repo', cursors: exampleHeard },
      output: {
        events: [],
        cursors: exampleHeard,
        last_poll: '2026-04-15T08:00:00.000Z',
        away: null,
        ignored: [],
      },
    },
  ],
  run: async (input, { forge, log }) => {
    const state = input.state ?? null;
    const { away: before, ...cursors } = input.cursors ?? nothing;
    const now = input.now ?? null;
    const idle = { events: [], cursors, last_poll: newest(cursors), away: null, ignored: [] };
    if (state !== null && (state.status === 'completed' || state.status === 'cancelled')) return idle;

    const target = input.target ?? plain(input);
    const repo = forge.open(target);
    const reading = { state, repo: target.repo, host: target.host };
    try {
      const from = await startOf(repo, state, cursors);
      if (from === undefined) return idle;
      return { ...(await poll({ repo, reading, now, log }, { ...cursors, forge: from })), away: null };
    } catch (error) {
      const away = now === null ? undefined : awayOf(error, now, before);
      if (away === undefined) throw error;
      return { ...idle, cursors: { ...cursors, away }, away };
    }
  },
});

interface Poll {
  readonly repo: ForgeRepo;
  readonly reading: Reading;
  readonly now: Timestamp | null;
  readonly log: LogRead;
}

interface Polled {
  readonly events: Event[];
  readonly cursors: Cursors;
  readonly last_poll: Timestamp | null;
  readonly ignored: Ignored[];
}

async function poll({ repo, reading, now, log }: Poll, cursors: Cursors): Promise<Polled> {
  const { state } = reading;
  const from = (name: string): [Timestamp | null, ListCursor?] => {
    const known = cursors.forge[name];
    // A cursor without its neighbourhood is a beginning: nothing before it is the sprint's.
    return known?.recent === undefined ? [known?.updated_at ?? null] : [known.updated_at, known];
  };
  // Pulls after issues: an issue seen closed by a merge is then never without that merge.
  const [issues, comments] = await Promise.all([
    repo.changedIssues(...from('issues')),
    repo.changedComments(...from('comments')),
  ]);
  const pulls = await repo.changedPulls(...from('pulls'));
  const reviews = await pollReviews(repo, items(pulls), reading);
  const answers = { issues: items(issues), pulls: items(pulls), comments: items(comments), reviews };
  const labels = readLabels(answers.issues, state, cursors.labels ?? {});
  const lists = { issues: nextOf(issues), pulls: nextOf(pulls), comments: nextOf(comments) };
  const forge = { ...cursors.forge, ...lists };
  const last_poll = newest({ forge });
  const checks = await pollChecks({ repo, state, at: last_poll, now, cursors, only_unknown: false });
  const candidates = [...readEvents(answers, reading), ...labels.candidates, ...checks.candidates];
  const events = await unseen(candidates, state, log);
  const skipped = [issues, pulls, comments].flatMap((list) => list.skipped ?? []);
  return {
    events,
    cursors: {
      v: 1,
      log_seq: cursors.log_seq,
      forge,
      ...(isEmpty(labels.seen) ? {} : { labels: labels.seen }),
      ...(isEmpty(checks.checked) ? {} : { checked: checks.checked }),
      ...(checks.checks_after === undefined ? {} : { checks_after: checks.checks_after }),
    },
    last_poll,
    ignored: [
      ...skipped.map(({ id, reason }) => ({ id, reason: `the record of ${id} cannot be read: ${reason}` })),
      ...ignoredOf(answers, reading),
      ...checks.ignored,
    ],
  };
}

/** Where a list's next reading goes on. */
function nextOf({ cursor, next }: ForgeChanges<unknown>): ListCursor {
  return next ?? { updated_at: cursor, etag: null };
}

function isEmpty(record: object): boolean {
  return Object.keys(record).length === 0;
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

function newest({ forge }: Pick<Cursors, 'forge'>): Timestamp | null {
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
