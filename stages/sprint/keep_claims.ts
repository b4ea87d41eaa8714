import { codeOf, messageOf } from '@caloron/noether/stage';
import { addMs, keys, ownOf, type Id, type Task, type TaskClaim } from '@caloron/types';

import type { ActContext } from './act_context.ts';
import {
  forgetClaim,
  giveBack,
  plainText,
  publishClaim,
  publishedClaims,
  renewClaim,
  storeClaim,
  storedClaim,
  winnerOver,
  type Claiming,
} from './claim.ts';
import { CLAIM_MINUTES, nextGeneration, type Claim } from './claim_rule.ts';

/** A claim is renewed when half of its term is over. */
const RENEW_AFTER_MS = (CLAIM_MINUTES * 60_000) / 2;
/** Claims looked at per drain: what is left is due in the next one. */
const BATCH = 20;
/** Milliseconds an agent whose task another orchestrator has now gets to end by itself. */
const GRACE_MS = 10_000;

/** The tasks of a sprint this home has claims of. */
export async function claimedTasks({ kv }: Pick<ActContext, 'kv'>, sprint_id: Id): Promise<readonly Id[]> {
  const prefix = keys.claim(sprint_id, '');
  return (await kv.list(prefix)).map((key) => key.slice(prefix.length));
}

/**
 * Keeps the claims of a sprint: renews those whose term is half over, gives back those of tasks that were cancelled, and stops the agents
 * of a task that another orchestrator took over meanwhile. Gives a line per claim that could not be kept.
 */
export async function keepClaims(tasks: readonly Id[], context: ActContext): Promise<readonly string[]> {
  const lines: string[] = [];
  let looked = 0;
  for (const task_id of tasks) {
    if (looked >= BATCH) break;
    try {
      const claim = await storedClaim(context, task_id);
      const kept = claim === undefined ? undefined : await keepClaim(task_id, claim, context);
      if (kept !== undefined) looked += 1;
      if (typeof kept === 'string') lines.push(`claim:${task_id}: ${kept}`);
    } catch (error) {
      looked += 1;
      lines.push(`claim:${task_id}: ${codeOf(error)}: ${messageOf(error)}`);
    }
  }
  return lines;
}

/** Undefined when nothing was due; a line when the claim was lost. */
async function keepClaim(
  task_id: Id,
  claim: TaskClaim,
  context: ActContext,
): Promise<string | true | undefined> {
  const { state } = context.snapshot;
  const task = ownOf(state.tasks, task_id);
  if (task === undefined || task.status === 'Done') return done(forgetClaim(context, task_id));
  if (task.status === 'Cancelled' || state.status === 'cancelled')
    return done(giveBack(context, task_id, claim));
  const now = context.now();
  if (!claim.won) return claim.settled_at > now ? undefined : look(claim, claimingOf(task, claim, context));
  if (addMs(claim.sent_at, RENEW_AFTER_MS) > now) return undefined;
  const claiming = claimingOf(task, claim, context);
  const next = await renewedOrAnew(claim, claiming);
  // After its term somebody may have taken it over just now, which may not show yet.
  if (claim.until <= now && next.settled_at > now) return true;
  return look(next, claiming);
}

async function done(ended: Promise<void>): Promise<true> {
  await ended;
  return true;
}

function claimingOf(task: Task, { home, issue_number }: TaskClaim, context: ActContext): Claiming {
  return { context, task, home, issue_number };
}

/** Renews a claim, or publishes it anew where somebody took its comment away. */
async function renewedOrAnew(claim: TaskClaim, claiming: Claiming): Promise<TaskClaim> {
  try {
    return await renewClaim(claiming, claim);
  } catch (error) {
    if (codeOf(error) !== 'FORGE_NOT_FOUND') throw error;
    const claims = await publishedClaims(claiming);
    return publishClaim(plainText(claiming), claiming, nextGeneration(claims));
  }
}

/** Whether a claim still counts; stops the task's agents when it does not. */
async function look(claim: TaskClaim, claiming: Claiming): Promise<string | true> {
  const { context, task } = claiming;
  const winner = winnerOver(claim, await publishedClaims(claiming, claim));
  if (winner === undefined) {
    await storeClaim(context, task.id, { ...claim, won: true });
    return true;
  }
  await stopAgents(winner, claiming);
  await giveBack(context, task.id, claim);
  return `${lostWords(winner)}: its agents here were stopped, their work is kept`;
}

function lostWords({ home, since }: Claim): string {
  return `another orchestrator (home ${home.slice(0, 8)}) took it over at ${since}`;
}

async function stopAgents(winner: Claim, { context, task }: Claiming): Promise<void> {
  const { sprint_id } = context.snapshot.state;
  const { agents } = await context.shell().status();
  const live = agents.filter(
    (agent) => agent.alive && agent.sprint_id === sprint_id && agent.task_id === task.id,
  );
  for (const { process_id } of live)
    await context.shell().stop({ process_id, grace_ms: GRACE_MS, reason: lostWords(winner) });
}
