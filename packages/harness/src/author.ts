import { messageOf } from '@caloron/noether/errors';
import type { Feedback } from '@caloron/types';

import {
  assertRunning,
  type Ending,
  ending,
  forgeOf,
  type HarnessContext,
  note,
  persist,
} from './context.ts';
import { assertBase, driftOf } from './base.ts';
import { openClean } from './clean-repository.ts';
import { agentAuthor } from './environment.ts';
import { completeFeedback, parseFeedback, postFeedback, syntheticFeedback } from './feedback.ts';
import type { Framework, FrameworkResult, Session } from './frameworks/framework.ts';
import { authorPrompt, continuationPrompt, feedbackPrompt } from './prompt.ts';
import { ensurePull } from './pull-request.ts';
import { push } from './push.ts';
import { newestBase, rebaseOnto } from './rebase.ts';
import { causeOf, endedHow, gaveUp, runFramework } from './run-framework.ts';
import { keptSession, resumes } from './session.ts';
import { tailOf } from './verify.ts';
import { assertOnBranch, assertRepository, commitAll, headOf, repositoryOf } from './worktree.ts';

/** Milliseconds an agent has to give the feedback it left out. */
const FEEDBACK_TIMEOUT_MS = 3 * 60 * 1000;

/** Runs the framework on the task and delivers what it made. Throws what stands in the way; the work stays in the worktree. */
export async function author(context: HarnessContext, framework: Framework): Promise<Ending> {
  const { order, activity } = context;
  await assertOnBranch(order.worktree, order.branch);
  const repository = await repositoryOf(order.worktree);
  const began_at = await headOf(order.worktree);
  if (order.mode !== 'rebase') {
    const clean = await openClean(context.directory, order.worktree, context.signal);
    await assertBase(clean, { base: order.base_sha, head: began_at, when: 'start' });
  }

  activity.at(`running ${framework.name}`);
  const result = await work(context, framework);
  assertRunning(context);
  const said = result.feedback ?? parseFeedback(result.text);
  const ended = endedHow(framework, result);
  const cause = causeOf(context, result);
  if (cause !== null) {
    const met = result.trouble === null ? '' : cause.sentence;
    const body = [`${ended}.`, met, tailOf(result.text).trim()].filter((part) => part !== '').join('\n\n');
    const end = ending(result.timed_out ? 'timeout' : 'failed', body, { cause });
    // What is paused is not over: there is nothing to look back on yet.
    if (cause.class === 'budget') return end;
    return withFeedback(context, framework, end, said, ended);
  }
  if (said?.self_assessment === 'blocked' || said?.self_assessment === 'failed') {
    const lines = [`The agent says ${said.self_assessment}.`, ...(said.blockers ?? []), said.notes ?? ''];
    const body = lines.join('\n').trim();
    const end = ending(said.self_assessment, body, { cause: gaveUp(body) });
    return withFeedback(context, framework, end, said, ended);
  }

  activity.at('delivering');
  await assertRepository(order.worktree, repository);
  const delivered = await deliver(context, began_at);
  const asked =
    said ?? (await askForFeedback(context, framework, delivered.body, sessionOf(context, result)));
  return withFeedback(context, framework, delivered, asked, ended);
}

async function work(context: HarnessContext, framework: Framework): Promise<FrameworkResult> {
  const { order } = context;
  if (isOwnRebase(context, framework)) {
    await rebaseOnto(context, await newestBase(context));
    const text = 'rebased by the harness';
    const exit = { code: 0, signal: null, timed_out: false, stopped: false };
    return { ...exit, text, tokens_used: 0, feedback: null, trouble: null };
  }
  const prompts = {
    full: authorPrompt(order),
    later: continuationPrompt(order),
    session: await keptSession(order),
  };
  return runFramework(context, framework, prompts, order.timeout_ms);
}

/** A scripted agent's rebase is the harness's own work: no agent ran that could speak of it. */
function isOwnRebase({ order }: HarnessContext, framework: Framework): boolean {
  return order.mode === 'rebase' && framework.scripted;
}

async function deliver(context: HarnessContext, began_at: string): Promise<Ending> {
  const { order } = context;
  await assertOnBranch(order.worktree, order.branch);
  const message = `[${order.agent_id}] ${order.task.title}`;
  const committed = await commitAll(order.worktree, message, agentAuthor(order), context.signal);
  if (committed !== null) note(context, `committed what was left: ${committed.slice(0, 12)}`);
  const head = await headOf(order.worktree);
  if (head === order.base_sha) {
    return ending('no_changes', 'The agent ended without a change.', { head_sha: head });
  }

  const base_sha = order.mode === 'rebase' ? await newestBase(context) : order.base_sha;
  const replaceable = [began_at, ...(order.head_sha === null ? [] : [order.head_sha])];
  const clean = await openClean(context.directory, order.worktree, context.signal);
  const bases = [order.base_sha, base_sha];
  const { already } = await push(context, clean, { head, bases, replaceable });
  note(context, already ? `${order.branch} was at ${head} already` : `pushed ${head} to ${order.branch}`);
  const pull = await ensurePull(context, clean, head);
  note(context, `pull request #${pull.number}`);

  const drift = await driftOf(clean, order, head);
  const about = drift === undefined ? { base_sha } : { base_sha, drift };
  const facts = { head_sha: head, pr_number: pull.number, ...about };
  const fresh = head === began_at ? ' This attempt added nothing to it.' : '';
  // Whether a head that is the old one will do is not decided here: it may be what a review asked to change, or work a crash left.
  return ending('completed', `Pull request #${pull.number} is at ${head}.${fresh}`, facts);
}

/** The session of the work just done, for what is left to ask. */
function sessionOf({ order }: HarnessContext, { session }: FrameworkResult): Session | null {
  return resumes(order) ? (session ?? null) : null;
}

/** Asks a model once for what it left out; null when it does not answer either. */
async function askForFeedback(
  context: HarnessContext,
  framework: Framework,
  summary: string,
  session: Session | null,
): Promise<Partial<Feedback> | null> {
  // What its budget pays for no more is not asked.
  if (!framework.model || context.signal.aborted || context.spending.pause.aborted) return null;
  context.activity.at('asking for feedback');
  try {
    const prompt = feedbackPrompt(context.order, summary, context.activity.nudges);
    return parseFeedback(
      (await runFramework(context, framework, { full: prompt, session }, FEEDBACK_TIMEOUT_MS)).text,
    );
  } catch (error) {
    note(context, `no feedback: ${messageOf(error)}`);
    return null;
  }
}

/** Adds the feedback and posts it. What cannot be posted is still in the report; the outcome stays what it is. */
export async function withFeedback(
  context: HarnessContext,
  framework: Framework,
  end: Ending,
  said: Partial<Feedback> | null,
  ended: string,
): Promise<Ending> {
  const { order, activity } = context;
  if (isOwnRebase(context, framework)) return end;
  const facts = {
    tokens_used: activity.tokens_used,
    minutes: Math.round(context.elapsedMs() / 600) / 100,
  };
  const clean = end.outcome === 'completed' || end.outcome === 'no_changes';
  const synthetic = said === null;
  const feedback = synthetic
    ? syntheticFeedback(order, ended, clean, facts)
    : completeFeedback(order, { self_assessment: clean ? 'completed' : 'failed', ...said }, facts);
  activity.at('posting feedback');
  try {
    await persist(context, 'post the feedback', async () =>
      postFeedback(await forgeOf(context), order, feedback),
    );
    return { ...end, feedback, synthetic };
  } catch (error) {
    note(context, `feedback not posted: ${messageOf(error)}`);
    return { ...end, feedback, synthetic, body: `${end.body}\n\nFeedback not posted: ${messageOf(error)}` };
  }
}
