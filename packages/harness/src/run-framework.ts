import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { messageOf } from '@caloron/noether/errors';
import { type EndCause, providerOf } from '@caloron/types';

import { classify, sentenceOf } from './classify.ts';
import { type HarnessContext, note } from './context.ts';
import type { Framework, FrameworkResult, Session } from './frameworks/framework.ts';
import { createPromiseReader } from './next-by.ts';
import { keepSession } from './session.ts';

/** What a framework is told: all of it, and what is left to say to a session that knows the task. */
export interface Prompts {
  readonly full: string;
  /** Absent: the full one. */
  readonly later?: string;
  /** The session to go on with; null begins one. */
  readonly session: Session | null;
}

/**
 * Runs the framework with a prompt; output goes to the log and counts as progress, tokens are counted, its session is kept. A session that
 * the program no longer has is replaced by a new one with the full prompt, once.
 */
export async function runFramework(
  context: HarnessContext,
  framework: Framework,
  { full, later = full, session }: Prompts,
  timeout_ms: number,
): Promise<FrameworkResult> {
  const result = await runTurn(context, framework, { full, later, session }, timeout_ms);
  // What was made meanwhile may be for a task that is done, cancelled or a person's by now.
  if (!context.signal.aborted) await context.turnEnded();
  return result;
}

async function runTurn(
  context: HarnessContext,
  framework: Framework,
  { full, later, session }: Required<Prompts>,
  timeout_ms: number,
): Promise<FrameworkResult> {
  if (session === null) return runOnce(context, framework, full, null, timeout_ms);
  note(context, `goes on with session ${session.id}`);
  const result = await runOnce(context, framework, later, session, timeout_ms);
  if (!isRefused(context, result)) return result;
  note(
    context,
    `session ${session.id} is gone (${result.trouble?.message.slice(0, 200) ?? 'no reason given'}): a new one begins`,
  );
  return runOnce(context, framework, full, null, timeout_ms);
}

/** A program that has lost a session fails before it says or uses anything, and for no reason of its provider's. */
function isRefused(context: HarnessContext, result: FrameworkResult): boolean {
  const { code, text, tokens_used } = result;
  const silent = text.trim() === '' && tokens_used === 0;
  return silent && code !== 0 && !context.signal.aborted && causeOf(context, result)?.class === 'crash';
}

async function runOnce(
  context: HarnessContext,
  framework: Framework,
  prompt: string,
  session: Session | null,
  timeout_ms: number,
): Promise<FrameworkResult> {
  const { order, directory, config, log, activity, spending } = context;
  const prompt_file = join(directory, 'prompt.md');
  await writeFile(prompt_file, prompt, { mode: 0o600 });
  const promiseIn = createPromiseReader();
  let kept: Promise<void> = Promise.resolve();
  const spent = spending.call();
  const result = await framework.run({
    order,
    prompt,
    prompt_file,
    directory: context.scratch,
    confine: context.confine,
    dangerous: config.allow_dangerous.includes(framework.name),
    env: config.env,
    timeout_ms,
    signal: context.signal,
    session,
    onSession(named) {
      // In turn, so that the last one stays; while the run goes on, so that a harness that is killed leaves it too.
      kept = kept
        .then(async () => keepSession(order, named))
        .catch((error: unknown) => {
          note(context, `the session is not kept: ${messageOf(error)}`);
        });
    },
    onOutput(text) {
      log.write(text);
      activity.progress('output');
      const minutes = promiseIn(text);
      if (minutes !== null) activity.promise(minutes * 60_000);
    },
    onNudge: (take) => activity.onNudge(take),
    onUsage: (usage) => spent.hear(usage),
    pause: spending.pause,
  });
  await kept;
  spent.end(result);
  activity.tokens(result.tokens_used);
  return result;
}

/** How a framework ended, in words. */
export function endedHow(framework: Framework, result: FrameworkResult): string {
  const { code, signal, timed_out, silent } = result;
  if (silent === true)
    return `${framework.name} was ended for printing nothing for as long as silence_ms allows`;
  if (timed_out) return `${framework.name} was ended at its time limit`;
  if (code === null) return `${framework.name} was ended by ${signal ?? 'a signal'}`;
  return `${framework.name} ended with exit code ${code}`;
}

/** Why a run of the framework ended without work; null when it ended well. A program that met trouble failed, whatever its exit code. */
export function causeOf(
  context: Pick<HarnessContext, 'order' | 'clock'> & Partial<Pick<HarnessContext, 'spending'>>,
  result: FrameworkResult,
): EndCause | null {
  const paused = context.spending?.pause_reason ?? null;
  if (result.stopped && paused !== null)
    return { class: 'budget', until: null, provider: null, sentence: sentenceOf(paused) };
  const { framework } = context.order;
  const facts = {
    provider: providerOf(framework.name, framework.options),
    now: context.clock.now(),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
  const said = result.text.trim().split('\n').at(-1) ?? '';
  const met = result.trouble === null ? null : classify(result.trouble, facts);
  // Time that ran out while the provider refused the program is the provider's.
  if (result.timed_out && (met === null || met.class === 'crash')) {
    return classify({ class: 'timeout', message: said }, facts);
  }
  if (met !== null) return met;
  return result.code === 0 ? null : classify({ class: 'crash', message: said }, facts);
}

/** That an agent itself gave the task up. */
export function gaveUp(sentence: string): EndCause {
  return { class: 'gave_up', until: null, provider: null, sentence: sentenceOf(sentence) };
}
