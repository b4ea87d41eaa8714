import { codeOf } from '@caloron/noether/stage';
import {
  addMs,
  type Checks,
  type Cursors,
  type DagState,
  type ForgePull,
  type ForgeRepo,
  type ForgeReview,
  type Ignored,
  type Sha,
  type Task,
  type Timestamp,
} from '@caloron/types';

import { askEach } from './at_once.ts';
import type { Candidate } from './candidate.ts';
import type { Reading } from './link.ts';
import { awaitsChecks, readChecks, wantsReviews } from './read_pulls.ts';

/** The most heads whose checks one tick asks for, two requests each; of more, the others are next. */
const HEADS = 20;

/** Checks that are through are asked for again after this long: somebody may have run them once more. */
const SETTLED_MS = 300_000;

/** The reviews of the changed pull requests that may move a task, one request each. */
export async function pollReviews(
  repo: ForgeRepo,
  pulls: readonly ForgePull[],
  reading: Reading,
): Promise<ReadonlyMap<number, readonly ForgeReview[]>> {
  const asked = pulls.filter((pull) => wantsReviews(pull, reading));
  const found = await askEach(asked, async ({ number }) => {
    try {
      return await repo.reviews(number);
    } catch (error) {
      // It was deleted since it was listed; a repository that is gone has failed the list already.
      if (codeOf(error) === 'FORGE_NOT_FOUND') return [];
      throw error;
    }
  });
  return new Map(asked.map(({ number }, at) => [number, found[at] ?? []]));
}

/** What a look at the checks of heads is made with. */
export interface ChecksQuery {
  readonly repo: ForgeRepo;
  readonly state: DagState | null;
  /** The newest time the poll has heard from the forge. */
  readonly at: Timestamp | null;
  /** Our clock; null asks for what is through as well. */
  readonly now: Timestamp | null;
  readonly cursors: Pick<Cursors, 'checked' | 'checks_after'>;
  /** Leaves out heads that were asked before. */
  readonly only_unknown: boolean;
}

/** What a look at the checks of heads has found. */
export interface ChecksFound {
  readonly candidates: readonly Candidate[];
  readonly ignored: readonly Ignored[];
  readonly checked: NonNullable<Cursors['checked']>;
  readonly checks_after: Sha | undefined;
}

type Headed = Task & { readonly head_sha: Sha };

/** The checks of the heads that wait on them, at most 20 heads at a time and in turn. */
export async function pollChecks(query: ChecksQuery): Promise<ChecksFound> {
  const { repo, at, now } = query;
  const { asked, checks_after } = headsToAsk(query);
  const answers = await askEach(asked, (task) => checksOf(repo, task.head_sha));
  const candidates: Candidate[] = [];
  const ignored: Ignored[] = [];
  const checked = new Map(keptChecked(query));
  for (const [index, task] of asked.entries()) {
    const checks = answers[index] ?? null;
    if (checks === null) {
      const name = `checks of ${task.head_sha}`;
      ignored.push({
        id: name,
        reason: `the ${name} (task ${task.id}): the forge knows no such commit`,
        task_id: task.id,
      });
      continue;
    }
    const candidate = readChecks(task, checks, at ?? task.status_at);
    if (candidate !== null) candidates.push(candidate);
    if (now === null || checks === 'pending') checked.delete(task.head_sha);
    else checked.set(task.head_sha, now);
  }
  return { candidates, ignored, checked: Object.fromEntries(checked), checks_after };
}

/** Null for a commit the forge does not know, as after a branch was pushed over. */
async function checksOf(repo: ForgeRepo, head: Sha): Promise<Checks | null> {
  try {
    return await repo.checks(head);
  } catch (error) {
    if (['FORGE_NOT_FOUND', 'FORGE_INVALID'].includes(codeOf(error))) return null;
    throw error;
  }
}

/** Heads nobody has asked about come first; the others in turn, from the one after the last that was asked. */
function headsToAsk(query: ChecksQuery): {
  readonly asked: readonly Headed[];
  readonly checks_after: Sha | undefined;
} {
  const { state, only_unknown, cursors } = query;
  if (state === null) return { asked: [], checks_after: undefined };
  const due = Object.values(state.tasks).filter(
    (task): task is Headed =>
      task.head_sha !== null &&
      awaitsChecks(task, state.sprint.required_approvals, only_unknown) &&
      isDue(task, query),
  );
  const fresh = due.filter(({ checks }) => checks === 'unknown');
  const rest = due.filter(({ checks }) => checks !== 'unknown');
  const last = rest.findIndex(({ head_sha }) => head_sha === cursors.checks_after);
  const inTurn = [...rest.slice(last + 1), ...rest.slice(0, last + 1)].slice(
    0,
    Math.max(0, HEADS - fresh.length),
  );
  const asked = [...fresh.slice(0, HEADS), ...inTurn];
  return {
    asked,
    checks_after: rest.length > inTurn.length ? (inTurn.at(-1)?.head_sha ?? cursors.checks_after) : undefined,
  };
}

/** Whether checks may have changed since they were asked: those that are through are left alone for a while. */
function isDue(task: Task, { now, cursors }: ChecksQuery): boolean {
  if (task.head_sha === null) return false;
  if (task.checks === 'unknown' || task.checks === 'pending' || now === null) return true;
  const asked = cursors.checked?.[task.head_sha];
  // A clock that was turned back must not silence it for long.
  return asked === undefined || asked > now || addMs(asked, SETTLED_MS) <= now;
}

function keptChecked({ state, cursors }: ChecksQuery): [Sha, Timestamp][] {
  const heads = new Set(Object.values(state?.tasks ?? {}).map(({ head_sha }) => head_sha));
  return Object.entries(cursors.checked ?? {}).filter(([head]) => heads.has(head));
}
