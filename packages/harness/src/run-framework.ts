import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { HarnessContext } from './context.ts';
import type { Framework, FrameworkResult } from './frameworks/framework.ts';

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
  const result = await framework.run({
    order,
    prompt,
    prompt_file,
    directory,
    dangerous: config.allow_dangerous.includes(framework.name),
    env: config.env,
    timeout_ms,
    signal: context.signal,
    onOutput(text) {
      log.write(text);
      activity.progress();
    },
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
