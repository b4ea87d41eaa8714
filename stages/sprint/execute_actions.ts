import { codeOf, isRetryable, messageOf } from '@caloron/noether/stage';
import {
  addMs,
  Id,
  type ActionError,
  type ForgeIssue,
  type ForgeRepo,
  type Outbox,
  type OutboxRow,
  type Shell,
  type Timestamp,
} from '@caloron/types';
import { z } from 'zod';

import { TASK_LABEL } from '../github/read_events.ts';
import { defineStage } from '../kit.ts';
import { act } from './act.ts';
import type { ActContext } from './act_context.ts';
import { claimedTasks, keepClaims } from './keep_claims.ts';
import { heldElsewhere } from './held_elsewhere.ts';
import { runLanes } from './lanes.ts';
import { CLAIM_HELD, CLAIM_UNSETTLED, isWait } from '../dag/room.ts';
import { givenUp, takenBack } from './overtaken.ts';
import { startsInOrder } from './start_order.ts';
import { isPaused } from './pause.ts';
import { nextAttempt, resetOf } from './retry_policy.ts';

/** Rows taken per drain: what is left is due in the next round. More than ever wait for room, which stay due and must not hide the others. */
const BATCH = 500;
/** Milliseconds after which a start that another sprint's limit holds is looked at again. */
const LOOK_AGAIN_MS = 60_000;
/** The same for one whose issue another orchestrator has: each look is a request. */
const ASK_CLAIM_MS = 300_000;
/** Agents started at once: each start fetches and makes a worktree. */
const SPAWNS = 4;

/** Drains the sprint's outbox: each due row is claimed, looked up, acted on and settled. A row that fails stops no other; of a paused sprint no row is begun. */
export const executeActions = defineStage({
  name: 'execute_actions',
  description: "Takes the sprint's intended actions that are due.",
  effects: ['Network', 'Process', 'NonDeterministic', 'Fallible'],
  capabilities: ['outbox', 'state.commit', 'kv.read', 'kv.write', 'forge', 'shell', 'clock'],
  input: z.object({ sprint_id: Id, shell_url: z.string().nullish() }),
  output: z.strictObject({
    /** One line per action taken, e.g. `merge:PR#4`. */
    actions_taken: z.array(z.string()),
    /** One line per action that failed and will be tried again or escalated. */
    errors: z.array(z.string()),
    /** Numbers of the issues opened or found. */
    issues_created: z.array(z.number().int().positive()),
  }),
  examples: [
    {
      input: { sprint_id: 'sprint-1' },
      output: { actions_taken: ['issue:#1'], errors: [], issues_created: [1] },
    },
    {
      input: { sprint_id: 'sprint-1', shell_url: 'http://127.0.0.1:7710' },
      output: { actions_taken: ['issue:#1'], errors: [], issues_created: [1] },
    },
    {
      input: { sprint_id: 'sprint-2' },
      output: { actions_taken: [], errors: [], issues_created: [] },
    },
  ],
  run: async ({ sprint_id, shell_url }, { outbox, state, kv, forge, shell, clock }) => {
    const out = { actions_taken: [] as string[], errors: [] as string[], issues_created: [] as number[] };
    const rows = await outbox.due({ sprint_id, now: clock.now(), limit: BATCH });
    const claimed = await claimedTasks({ kv }, sprint_id);
    if (rows.length === 0 && claimed.length === 0) return out;

    const snapshot = await state.load(sprint_id);
    const { repo, host, token_env } = snapshot.state.sprint;
    const openForge = once<ForgeRepo>(() => forge.open({ repo, host, token_env }));
    const context: ActContext = {
      snapshot,
      forge: openForge,
      shell: once<Shell>(() => shell.open(shell_url ?? null)),
      ensureLabel: labelsOf(openForge),
      heldElsewhere: remembered(() => heldElsewhere(kv, snapshot.state.sprint, clock.now())),
      taskIssues: remembered<readonly ForgeIssue[]>(() => openForge().issuesWithLabel(TASK_LABEL)),
      state,
      kv,
      now: () => clock.now(),
    };
    out.errors.push(...(await keepClaims(claimed, context)));
    const take = (of: readonly OutboxRow[]): Promise<void> =>
      runLanes(
        startsInOrder(of, snapshot.state).map((row) => ({
          lane: row.action.type === 'spawn_agent' ? 'pool' : 'serial',
          after: row.action.task_id ?? '',
          run: () => settle(row, context, outbox, out),
        })),
        SPAWNS,
      );
    await take(rows.filter(({ action }) => action.type !== 'close_sprint'));
    // A start whose answer was lost may be under way still: who ends the sprint's agents has to see it.
    await take(rows.filter(({ action }) => action.type === 'close_sprint'));
    return out;
  },
});

interface Outcome {
  readonly actions_taken: string[];
  readonly errors: string[];
  readonly issues_created: number[];
}

/** Claims one row and settles it. Only the outbox itself may throw here: then this run has lost its lease or its database. */
async function settle(row: OutboxRow, context: ActContext, outbox: Outbox, out: Outcome): Promise<void> {
  const { action, action_id, attempts } = row;
  // Asked before each: a pause holds from the next action on, and not from the next tick.
  if (await isPaused(context.kv, context.snapshot.state.sprint_id)) return;
  if (!(await outbox.start(action_id))) return;
  let acted;
  try {
    acted =
      takenBack(row, context) ?? (await givenUp(row, context)) ?? (await act(action, context, attempts));
  } catch (thrown) {
    const error: ActionError = {
      code: codeOf(thrown),
      message: messageOf(thrown),
      retryable: isRetryable(thrown),
    };
    if (isWait(error)) {
      await outbox.postpone(
        action_id,
        error,
        lookAgain(context.now(), resetOf(thrown), error),
        isToldAnew(error, row),
      );
      if (!isSettling(error, thrown)) out.errors.push(lineOf(row, error));
      return;
    }
    const next = nextAttempt(error, attempts + 1, context.now(), resetOf(thrown));
    await outbox.fail(action_id, error, next);
    out.errors.push(lineOf(row, error));
    return;
  }
  await outbox.succeed(action_id, acted.result);
  out.actions_taken.push(acted.line);
  out.errors.push(...(acted.notes ?? []));
  if (action.type === 'create_issue' && acted.result.issue_number !== undefined) {
    out.issues_created.push(acted.result.issue_number);
  }
}

/** When something that waits is looked at again: a hold may be lifted, and a claim given back, before its end. */
function lookAgain(now: Timestamp, ends: Timestamp | null, { code }: ActionError): Timestamp {
  if (ends === null) return now;
  if (code !== CLAIM_HELD) return earlier(ends, addMs(now, LOOK_AGAIN_MS));
  const soonest = addMs(now, LOOK_AGAIN_MS);
  return ends < soonest ? soonest : earlier(ends, addMs(now, ASK_CLAIM_MS));
}

function earlier(a: Timestamp, b: Timestamp): Timestamp {
  return a < b ? a : b;
}

/** Whether who waits is to be told again: of a claim that was renewed, or is another's by now. */
function isToldAnew({ code, message }: ActionError, { error }: OutboxRow): boolean {
  return code === CLAIM_HELD && message !== error?.message;
}

/** Whether a start only waits for its claim, which it has just published, to show everywhere: every start does, and nothing is wrong. */
function isSettling({ code }: ActionError, thrown: unknown): boolean {
  return code === CLAIM_UNSETTLED && thrown instanceof Error && thrown.cause === undefined;
}

function lineOf({ action }: OutboxRow, { code, message }: ActionError): string {
  return `${action.type}:${action.task_id ?? action.sprint_id ?? ''}: ${code}: ${message}`;
}

/** The colour of our labels, so that they are known at sight. Source: caloron, labels. */
const LABEL = { color: '0366d6', description: 'Managed by Caloron' };

function labelsOf(forge: () => ForgeRepo): (label: string) => Promise<void> {
  const ensured = new Map<string, Promise<void>>();
  return (label) => {
    const before = ensured.get(label);
    if (before !== undefined) return before;
    const made = forge().ensureLabel(label, LABEL);
    ensured.set(label, made);
    // A label that could not be made is tried again by the next action that wants it.
    made.catch(() => ensured.delete(label));
    return made;
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function remembered<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined;
  return () => {
    asked ??= ask();
    asked.catch(() => (asked = undefined));
    return asked;
  };
}
