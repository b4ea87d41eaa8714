import { CodedError, codeOf, isRetryable, messageOf } from '@caloron/noether/stage';
import {
  addMs,
  epochMs,
  keys,
  markerOf,
  parseMarker,
  TaskClaim,
  type ActionOf,
  type Id,
  type Task,
  type Timestamp,
} from '@caloron/types';

import { isFromUs, signed, type ActContext } from './act_context.ts';
import { ahead, CLAIM_MINUTES, claimOf, nextGeneration, standingClaim, withClaim } from './claim_rule.ts';
import type { Claim } from './claim_rule.ts';
import { ActError } from './errors.ts';
import { readValue } from './read_value.ts';
import { resetOf } from './retry_policy.ts';

type Spawn = ActionOf<'spawn_agent'>;

/** Milliseconds after which a comment that was just written shows in every answer of a host on another machine. */
const SETTLE_MS = 2_000;
/** Milliseconds after which a forge that could not be asked is asked again. */
const ASK_AGAIN_MS = 30_000;
const TERM_MS = CLAIM_MINUTES * 60_000;
const LOOPBACK = /^https?:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?:[:/]|$)/;

/** What a task's claim is worked on with. */
export interface Claiming {
  readonly context: ActContext;
  readonly task: Task;
  readonly issue_number: number;
  /** The id of this home's database. */
  readonly home: string;
}

/** The claim of a task this home has or asked for; undefined without one. */
export function storedClaim(
  { kv, snapshot }: Pick<ActContext, 'kv' | 'snapshot'>,
  task_id: Id,
): Promise<TaskClaim | undefined> {
  return readValue(kv, keys.claim(snapshot.state.sprint_id, task_id), TaskClaim);
}

/** Records a task's claim. */
export async function storeClaim(context: ActContext, task_id: Id, claim: TaskClaim): Promise<TaskClaim> {
  await context.kv.put(keys.claim(context.snapshot.state.sprint_id, task_id), claim);
  return claim;
}

/** Forgets a task's claim. */
export async function forgetClaim(context: ActContext, task_id: Id): Promise<void> {
  await context.kv.delete(keys.claim(context.snapshot.state.sprint_id, task_id));
}

/**
 * Sees to it that this home alone starts agents on a task: publishes a claim on its issue unless it has one that stands. Gives the claim.
 * Throws CLAIM_HELD while another orchestrator has the issue, CLAIM_UNSETTLED before it is known who has.
 */
export async function claimTask(action: Spawn, task: Task, context: ActContext): Promise<TaskClaim> {
  const stored = await storedClaim(context, task.id);
  if (stored?.won === true && stored.until > context.now()) return stored;
  const { db_id: home } = await context.shell().health();
  try {
    const issue_number = await claimedIssue(action, context);
    const claiming = { context, task, issue_number, home };
    const known = stored?.issue_number === issue_number ? stored : undefined;
    return await takeClaim(action, claiming, known);
  } catch (error) {
    if (error instanceof ActError || !isRetryable(error)) throw error;
    throw unsettledBy(error, action, context.now());
  }
}

/** A forge or a store that cannot be asked now is no failed start: it is asked again. */
function unsettledBy(error: unknown, { issue_number }: Spawn, now: Timestamp): unknown {
  if (!(error instanceof CodedError) || !codeOf(error).startsWith('FORGE_')) return error;
  const why = `${codeOf(error)}: ${messageOf(error)}`;
  const reset_at = resetOf(error) ?? addMs(now, ASK_AGAIN_MS);
  return new ActError('CLAIM_UNSETTLED', { issue_number, why, reset_at }, { cause: error, retryable: true });
}

/**
 * The issue that carries a task's claims: two orchestrators that were kicked off at once may each have opened one, then it is the
 * first of them for both.
 */
async function claimedIssue(
  { issue_number, sprint_id, task_id }: Spawn,
  context: ActContext,
): Promise<number> {
  const marked = (await context.taskIssues()).filter(({ number, body }) => {
    const marker = parseMarker(body);
    const same = marker?.sprint_id === sprint_id && marker?.task_id === task_id;
    return same && number < issue_number && !body.includes('<!-- caloron-escalation:');
  });
  const ours = await fromUs(marked, ({ author }) => author, context);
  return Math.min(issue_number, ...ours.map(({ number }) => number));
}

async function takeClaim(
  action: Spawn,
  claiming: Claiming,
  stored: TaskClaim | undefined,
): Promise<TaskClaim> {
  const { context, home, issue_number } = claiming;
  const claims = await publishedClaims(claiming, stored);
  const standing = standingClaim(claims);
  const now = context.now();
  if (standing === undefined || (standing.home !== home && standing.expires_at <= now)) {
    const text = claimText(action, claiming);
    return settle(claiming, await publishClaim(text, claiming, nextGeneration(claims)));
  }
  if (standing.home !== home) throw await yieldTo(standing, claiming, stored);
  // Ours, though nothing was recorded of it, or its term is over: whoever looks sees from now on that it stands.
  if (stored?.comment_id !== standing.comment_id || stored.until <= now)
    return settle(claiming, await renewClaim(claiming, standing));
  if (stored.settled_at > now) throw unsettled(issue_number, stored.settled_at);
  return decideClaim(claiming, stored, claims);
}

/** Writes a claim's comment, and records it as asked for. */
export async function publishClaim(text: string, claiming: Claiming, generation: number): Promise<TaskClaim> {
  const { context, home, issue_number } = claiming;
  const line = { home, generation, minutes: CLAIM_MINUTES, renewals: 0 };
  const sent_at = context.now();
  const { id } = await context.forge().comment(issue_number, withClaim(text, line));
  return record(claiming, { comment_id: id, generation, renewals: 0, text, sent_at });
}

/** What the comment of a claim says: of a first start, who has been assigned the task. */
function claimText(action: Spawn, claiming: Claiming): string {
  const who = action.agent_id ?? claiming.task.agent_id;
  return action.role === 'author' && action.mode === 'start'
    ? signed(`@caloron-agent-${who} has been assigned this task.`, action)
    : plainText(claiming);
}

/** What the comment of a claim says that comes with no first start. */
export function plainText({ context, home, task }: Claiming): string {
  const marker = markerOf(context.snapshot.state.sprint_id, task.id);
  return `The orchestrator of home \`${home.slice(0, 8)}\` works on this task.\n\n${marker}`;
}

/** Renews a claim of ours for another term. */
export async function renewClaim(
  claiming: Claiming,
  { comment_id, generation, renewals: before, text }: Renewed,
): Promise<TaskClaim> {
  const { context, home } = claiming;
  const [sent_at, renewals] = [context.now(), before + 1];
  const line = { home, generation, minutes: CLAIM_MINUTES, renewals };
  await context.forge().editComment(comment_id, withClaim(text, line));
  return record(claiming, { comment_id, generation, renewals, text, sent_at });
}

type Renewed = Pick<TaskClaim, 'comment_id' | 'generation' | 'renewals' | 'text'>;

function record(
  { context, home, issue_number, task }: Claiming,
  sent: Renewed & Pick<TaskClaim, 'sent_at'>,
): Promise<TaskClaim> {
  const settled_at = addMs(context.now(), settleMs(context));
  const until = addMs(sent.sent_at, TERM_MS);
  const claim = { v: 1, issue_number, home, ...sent, settled_at, won: false, until } as const;
  return storeClaim(context, task.id, claim);
}

/** Reads again who has the issue, at once where the host cannot lag behind itself; throws CLAIM_UNSETTLED elsewhere. */
async function settle(claiming: Claiming, asked: TaskClaim): Promise<TaskClaim> {
  if (asked.settled_at > claiming.context.now()) throw unsettled(asked.issue_number, asked.settled_at);
  return decideClaim(claiming, asked, await publishedClaims(claiming, asked));
}

/** Records that a claim has won; gives way and throws CLAIM_HELD when it has not. */
async function decideClaim(
  claiming: Claiming,
  asked: TaskClaim,
  claims: readonly Claim[],
): Promise<TaskClaim> {
  const { context, task, issue_number } = claiming;
  const other = winnerOver(asked, claims);
  const mine = claims.find(({ comment_id }) => comment_id === asked.comment_id);
  if (other !== undefined) throw await yieldTo(other, claiming, asked, mine);
  if (mine !== undefined) return storeClaim(context, task.id, { ...asked, won: true });
  // Somebody took the comment away.
  await forgetClaim(context, task.id);
  throw unsettled(issue_number, addMs(context.now(), settleMs(context)));
}

/** The claim that ours has to give way to; undefined when it has won. */
export function winnerOver(
  { comment_id }: Pick<TaskClaim, 'comment_id'>,
  claims: readonly Claim[],
): Claim | undefined {
  const mine = claims.find((claim) => claim.comment_id === comment_id);
  return mine === undefined ? standingClaim(claims) : ahead(mine, claims);
}

/** Gives back what was asked for and forgets it; gives the error that says who has it. */
async function yieldTo(
  { home, by, since, expires_at }: Claim,
  { context, issue_number, task }: Claiming,
  asked?: TaskClaim,
  mine?: Claim,
): Promise<ActError> {
  if (asked !== undefined) await giveBack(context, task.id, asked);
  // Ours shows how far the forge's clock is from this one.
  const skew =
    asked === undefined || mine === undefined ? 0 : epochMs(asked.sent_at) - epochMs(mine.renewed_at);
  const facts = { issue_number, home, by, since, reset_at: addMs(expires_at, skew) };
  return new ActError('CLAIM_HELD', facts, { retryable: true });
}

/** Says on the issue that a claim is over, and forgets it. */
export async function giveBack(context: ActContext, task_id: Id, claim: TaskClaim): Promise<void> {
  const { comment_id, text, home, generation, renewals } = claim;
  const said = `${text}\n\nGiven back: another orchestrator may have it.`;
  const line = { home, generation, minutes: 0, renewals: renewals + 1 };
  try {
    await context.forge().editComment(comment_id, withClaim(said, line));
  } catch (error) {
    // Somebody took the comment away.
    if (codeOf(error) !== 'FORGE_NOT_FOUND') throw error;
  }
  await forgetClaim(context, task_id);
}

/** The claims of an issue that count: under an agents' login, or under the login our own token stands for. */
export async function publishedClaims(
  { context, issue_number }: Claiming,
  stored?: TaskClaim,
): Promise<readonly Claim[]> {
  const found = (await context.forge().comments(issue_number)).flatMap((comment) => {
    const claim = claimOf(comment);
    return claim === undefined ? [] : [claim];
  });
  const own = found.filter(({ comment_id }) => comment_id === stored?.comment_id);
  const others = found.filter(({ comment_id }) => comment_id !== stored?.comment_id);
  return [...own, ...(await fromUs(others, ({ by }) => by, context))];
}

/** Those under a login of ours; each login is looked at once. */
async function fromUs<T>(
  all: readonly T[],
  login: (one: T) => string | null,
  context: ActContext,
): Promise<readonly T[]> {
  const ours = new Set<string | null>();
  for (const each of new Set(all.map(login))) if (await isFromUs(each, context)) ours.add(each);
  return all.filter((one) => ours.has(login(one)));
}

/** A host on this machine is the one that wrote it: it has no replicas that lag. */
function settleMs({ snapshot }: ActContext): number {
  return LOOPBACK.test(snapshot.state.sprint.host ?? '') ? 0 : SETTLE_MS;
}

function unsettled(issue_number: number, reset_at: Timestamp): ActError {
  const why = 'it was just published, and is looked at again before anything is started';
  return new ActError('CLAIM_UNSETTLED', { issue_number, why, reset_at }, { retryable: true });
}
