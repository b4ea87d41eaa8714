import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { type EndCause, providerOf } from '@caloron/types';

import { classify, sentenceOf } from './classify.ts';
import type { HarnessContext } from './context.ts';
import type { Framework, FrameworkResult } from './frameworks/framework.ts';
import { createPromiseReader } from './next-by.ts';

/** Runs the framework once with a prompt; output goes to the log and counts as progress, tokens are counted. */
export async function runFramework(
  context: HarnessContext,
  framework: Framework,
  prompt: string,
  timeout_ms: number,
): Promise<FrameworkResult> {
  const { order, directory, config, log, activity } = context;
  const prompt_file = join(directory, 'prompt.md');
  await writeFile(prompt_file, prompt, { mode: 0o600 });
  const promiseIn = createPromiseReader();
  const result = await framework.run({
    order,
    prompt,
    prompt_file,
    directory,
    confine: context.confine,
    dangerous: config.allow_dangerous.includes(framework.name),
    env: config.env,
    timeout_ms,
    signal: context.signal,
    onOutput(text) {
      log.write(text);
      activity.progress('output');
      const minutes = promiseIn(text);
      if (minutes !== null) activity.promise(minutes * 60_000);
    },
    onNudge: (take) => activity.onNudge(take),
  });
  activity.tokens(result.tokens_used);
  return result;
}

/** How a framework ended, in words. */
export function endedHow(framework: Framework, { code, signal, timed_out }: FrameworkResult): string {
  if (timed_out) return `${framework.name} was ended at its time limit`;
  if (code === null) return `${framework.name} was ended by ${signal ?? 'a signal'}`;
  return `${framework.name} ended with exit code ${code}`;
}

/** Why a run of the framework ended without work; null when it ended well. A program that met trouble failed, whatever its exit code. */
export function causeOf(
  context: Pick<HarnessContext, 'order' | 'clock'>,
  result: FrameworkResult,
): EndCause | null {
  const { framework } = context.order;
  const facts = {
    provider: providerOf(framework.name, framework.options),
    now: context.clock.now(),
    zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  };
  const said = result.text.trim().split('\n').at(-1) ?? '';
  if (result.timed_out) return classify({ class: 'timeout', message: said }, facts);
  if (result.trouble !== null) return classify(result.trouble, facts);
  return result.code === 0 ? null : classify({ class: 'crash', message: said }, facts);
}

/** That an agent itself gave the task up. */
export function gaveUp(sentence: string): EndCause {
  return { class: 'gave_up', until: null, provider: null, sentence: sentenceOf(sentence) };
}
