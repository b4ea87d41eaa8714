import { codeOf, messageOf } from '@caloron/noether/errors';
import { type ForgeRepo, markerOf, type Order } from '@caloron/types';

import {
  assertRunning,
  type Ending,
  ending,
  forgeOf,
  type HarnessContext,
  note,
  persist,
} from './context.ts';
import { assertBase, driftOf, driftText } from './base.ts';
import { openClean } from './clean-repository.ts';
import { verifyEnvironment } from './environment.ts';
import { HarnessError } from './errors.ts';
import { exactTree } from './exact-tree.ts';
import type { Framework } from './frameworks/framework.ts';
import { fence, reviewPrompt } from './prompt.ts';
import { causeOf, endedHow, runFramework } from './run-framework.ts';
import { tailOf, type Verified, verify } from './verify.ts';
import { headOf } from './worktree.ts';

/** A reviewer's decision and the text that goes with it. */
export interface Verdict {
  readonly outcome: 'approved' | 'changes_requested';
  readonly body: string;
}

/**
 * Verifies the head, lets a model look at it, posts the review. The verdict counts from the report; the forge shows it. In mode
 * `verify` the commands alone run: what passes is no verdict, and what fails asks for changes.
 */
export async function reviewer(context: HarnessContext, framework: Framework): Promise<Ending> {
  const { order, activity } = context;
  const { head_sha } = order;
  if (head_sha === null) throw new HarnessError('HARNESS_REVIEW_HEAD_MISSING', { task_id: order.task.id });
  const found = await headOf(order.worktree);
  if (found !== head_sha) {
    throw new HarnessError('HARNESS_HEAD_UNEXPECTED', { expected: head_sha, found });
  }

  const clean = await openClean(context.directory, order.worktree, context.signal, order.trusted_objects);
  await assertBase(clean, { base: order.base_sha, head: head_sha, when: 'review' });
  const drift = await driftOf(clean, order, head_sha);

  activity.at('verifying');
  const { worktree } = order;
  const verified = await verify({
    commands: order.verify,
    worktree,
    tree: await exactTree(clean, { worktree, head_sha, directory: context.directory }),
    now: () => context.clock.now(),
    confine: context.confine,
    head_sha,
    env: verifyEnvironment(context.config.env, order),
    timeout_ms: order.timeout_ms,
    signal: context.signal,
    onOutput(text) {
      context.log.write(text);
      activity.progress();
    },
  });
  assertRunning(context);
  const proof = {
    head_sha,
    pr_number: order.task.pr_number,
    receipt: verified.failed ?? verified.receipts.at(-1) ?? null,
    receipts: [...verified.receipts],
    base_sha: order.base_sha,
    ...(drift === undefined ? {} : { drift }),
  };
  if (order.mode === 'verify' && verified.failed === null)
    return ending('completed', verifiedText(verified), proof);
  const verdict = await judge(context, framework, verified);
  // What was verified stays proven, whatever came of the model.
  if ('cause' in verdict) return { ...verdict, ...proof };
  note(context, `verdict: ${verdict.outcome}`);
  const body = [verdict.body, driftText(order, drift)].filter((part) => part !== '').join('\n\n');
  const posted = await show(context, { ...verdict, body }, head_sha);
  return ending(verdict.outcome, `${body}${posted}`, proof);
}

/** A failing command decides; then a model, where there is one; else what was verified. */
async function judge(
  context: HarnessContext,
  framework: Framework,
  verified: Verified,
): Promise<Verdict | Ending> {
  if (verified.failed !== null) return { outcome: 'changes_requested', body: failureText(verified) };
  const facts = verifiedText(verified);
  if (!framework.model) return { outcome: 'approved', body: facts };

  context.activity.at(`reviewing with ${framework.name}`);
  const left_ms = Math.max(60_000, context.order.timeout_ms - context.elapsedMs());
  const prompts = { full: reviewPrompt(context.order, facts), session: null };
  const result = await runFramework(context, framework, prompts, left_ms);
  assertRunning(context);
  const verdict = result.code === 0 ? parseVerdict(result.text) : undefined;
  if (verdict !== undefined) return { ...verdict, body: `${verdict.body}\n\n${facts}`.trim() };
  const cause = causeOf(context, result);
  if (cause !== null) {
    const body = `${endedHow(framework, result)}: ${cause.sentence}`;
    const { head_sha, task } = context.order;
    return ending(result.timed_out ? 'timeout' : 'failed', body, {
      head_sha,
      pr_number: task.pr_number,
      cause,
    });
  }
  const hint = `${endedHow(framework, result)}: ${tailOf(result.text).trim().slice(-500)}`;
  throw new HarnessError('HARNESS_VERDICT_MISSING', { framework: framework.name }, { hint });
}

/** The last line that is a verdict; undefined without one. */
export function parseVerdict(text: string): Verdict | undefined {
  const lines = text.split('\n').map((line) => line.trim().replaceAll(/^[*_`#>\s]+|[*_`\s]+$/g, ''));
  const index = lines.findLastIndex((line) => /^(APPROVED|CHANGES_REQUESTED)\b/.test(line));
  const line = lines[index];
  if (line === undefined) return undefined;
  const before = text.split('\n').slice(0, index).join('\n').trim().slice(-4000);
  if (line.startsWith('APPROVED')) return { outcome: 'approved', body: before };
  const reason = line.replace(/^CHANGES_REQUESTED[\s:*_`-]*/, '');
  return { outcome: 'changes_requested', body: [reason, before].filter((part) => part !== '').join('\n\n') };
}

function failureText({ failed, receipts }: Verified): string {
  if (failed === null) return '';
  const passed = receipts.length - 1;
  if (failed.void !== undefined)
    return `The command \`${shown(failed.command)}\` ended with exit code ${failed.exit_code}, but proves nothing: it changed what was checked out at ${failed.commit} (${failed.void}). Commit what it changes, or make it change nothing.`;
  return [
    `The command \`${shown(failed.command)}\` ended with exit code ${failed.exit_code} on ${failed.commit}${passed > 0 ? `, after ${passed} that passed` : ''}. Its last lines:`,
    '',
    fence(failed.tail.trimEnd()),
  ].join('\n');
}

function verifiedText({ receipts }: Verified): string {
  if (receipts.length === 0) return 'Nothing was verified: no verify commands are configured.';
  const lines = receipts.map(
    ({ command, duration_ms }) => `- \`${shown(command)}\`: exit code 0 in ${duration_ms} ms`,
  );
  return [`Verified on ${receipts[0]?.commit ?? ''}:`, '', ...lines].join('\n');
}

function shown(command: readonly string[]): string {
  return command.join(' ').replaceAll('`', "'");
}

/** Posts the review; gives what has to be added to the report when that was not possible. */
async function show(context: HarnessContext, verdict: Verdict, head_sha: string): Promise<string> {
  const { order, activity } = context;
  const pr_number = order.task.pr_number;
  if (pr_number === null) return '';
  activity.at('posting the review');
  try {
    await persist(context, 'post the review', async () =>
      post(await forgeOf(context), order, pr_number, verdict, head_sha),
    );
    return '';
  } catch (error) {
    note(context, `review not posted: ${messageOf(error)}`);
    return `\n\nThe review could not be posted: ${messageOf(error)}`;
  }
}

async function post(
  forge: ForgeRepo,
  order: Order,
  pr_number: number,
  { outcome, body }: Verdict,
  commit_id: string,
): Promise<void> {
  const marker = `<!-- caloron-review:${order.process_id} -->`;
  const there = await forge.reviews(pr_number);
  if (there.some((review) => review.body.includes(marker))) return;
  const word = outcome === 'approved' ? 'Approved' : 'Changes requested';
  const text = [
    markerOf(order.sprint_id, order.task.id),
    marker,
    `**${word}** by \`caloron-agent-${order.agent_id}\``,
    '',
    body,
  ].join('\n');
  const event = outcome === 'approved' ? 'APPROVE' : 'REQUEST_CHANGES';
  try {
    await forge.review(pr_number, { event, body: text, commit_id });
  } catch (error) {
    // Author and reviewer share one identity: the forge takes no verdict, the comment says it instead.
    if (codeOf(error) !== 'FORGE_SELF_REVIEW') throw error;
    await forge.review(pr_number, { event: 'COMMENT', body: text, commit_id });
  }
}
