import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { taggedProcesses } from '@caloron/capabilities/process-identity';
import { messageOf } from '@caloron/noether/errors';

import { assertRunning, type HarnessContext, note } from './context.ts';
import { hookEnvironment } from './environment.ts';
import { HarnessError } from './errors.ts';
import { type GroupExit, runGroup } from './run-group.ts';
import { tailOf } from './verify.ts';

/** Characters of a hook's output that go to the agent's log, from its beginning; of its end a failure tells more. */
const LOGGED_CHARACTERS = 32_768;

/** Milliseconds an after_run hook has left once the run is told to stop: the next signal is SIGKILL. */
const STOPPED_MS = 1500;

/** Characters of output kept to tell the end of: more than the tail of a failure holds. */
const KEPT_CHARACTERS = 16_384;

/** How long, and how often, what left the group of an ended hook is looked for, in milliseconds. */
const STRAYS_MS = 1000;
const STRAYS_LOOK_MS = 50;

/** Runs the before_run hook, if the sprint has one. Throws HARNESS_HOOK_FAILED, HARNESS_STOPPED. */
export async function beforeRun(context: HarnessContext): Promise<void> {
  const { order, signal, activity } = context;
  const argv = order.workspace?.before_run ?? null;
  if (argv === null) return;
  activity.at('running the before_run hook');
  const failed = await runHook(context, 'before_run', argv, signal);
  assertRunning(context);
  if (failed !== null) throw failed;
}

/** Runs the after_run hook, if the sprint has one, however the run ended; its failure is noted and changes nothing. */
export async function afterRun(context: HarnessContext): Promise<void> {
  const { order, signal, activity } = context;
  const argv = order.workspace?.after_run ?? null;
  if (argv === null) return;
  activity.at('running the after_run hook');
  const over = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const hurry = (): void => {
    timer = setTimeout(() => over.abort(), STOPPED_MS);
  };
  if (signal.aborted) hurry();
  else signal.addEventListener('abort', hurry, { once: true });
  try {
    const failed = await runHook(context, 'after_run', argv, over.signal);
    if (failed !== null) note(context, `${failed.message.split('\n')[0] ?? ''} (ignored)`);
  } finally {
    signal.removeEventListener('abort', hurry);
    clearTimeout(timer);
  }
}

/** One hook in the worktree, in the sandbox where there is one; gives why it failed. */
export async function runHook(
  context: Pick<HarnessContext, 'order' | 'config' | 'log' | 'logger' | 'confine'> & {
    /** Told of each output, which is progress; null where nobody counts it. */
    readonly activity: Pick<HarnessContext['activity'], 'progress'> | null;
  },
  hook: string,
  argv: readonly string[],
  signal: AbortSignal,
): Promise<HarnessError<'HARNESS_HOOK_FAILED'> | null> {
  const { order, config, log } = context;
  const started = performance.now();
  const timeout_ms = order.workspace?.hook_timeout_ms ?? 0;
  let tail = '';
  let logged = 0;
  note(context, `hook ${hook}: ${argv.join(' ')}`);
  const run = async (): Promise<GroupExit> =>
    runGroup({
      argv: context.confine(argv),
      cwd: order.worktree,
      env: hookEnvironment(config.env, order, hook),
      stdin: null,
      timeout_ms,
      signal,
      onOutput(text) {
        tail = (tail + text).slice(-KEPT_CHARACTERS);
        log.write(text.slice(0, Math.max(0, LOGGED_CHARACTERS - logged)));
        logged += text.length;
        context.activity?.progress();
      },
    });
  const how = await run().then(
    async (exit) => {
      if (exit.timed_out || exit.stopped) await endStrays(order.process_id);
      return endedBadly(exit, timeout_ms);
    },
    (error: unknown) => messageOf(error),
  );
  if (logged > LOGGED_CHARACTERS) log.write(`\n[caloron] … ${logged - LOGGED_CHARACTERS} characters more\n`);
  else if (tail !== '' && !tail.endsWith('\n')) log.write('\n');
  if (how === null) {
    note(context, `hook ${hook}: done in ${Math.round(performance.now() - started)} ms`);
    return null;
  }
  return new HarnessError('HARNESS_HOOK_FAILED', { hook, argv, reason: how, tail: tailOf(tail).trim() });
}

/**
 * Ends what left the group of a hook that was ended: around hooks no agent is at work, so whoever carries the run's tag is theirs. In a
 * sandbox nobody is left.
 */
async function endStrays(process_id: string): Promise<void> {
  const tags = new Set([process_id]);
  for (let waited = 0; waited < STRAYS_MS; waited += STRAYS_LOOK_MS) {
    const found = taggedProcesses(tags).filter(({ pid }) => pid !== process.pid);
    if (found.length === 0) return;
    for (const { pid } of found) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended, or taken another user's rights.
      }
    }
    await delay(STRAYS_LOOK_MS);
  }
}

function endedBadly(exit: GroupExit, timeout_ms: number): string | null {
  if (exit.timed_out) return `it was ended after ${timeout_ms} ms`;
  if (exit.stopped) return 'it was ended because the run was stopped';
  if (exit.code === 0) return null;
  return exit.code === null ? `it was ended by ${exit.signal ?? 'a signal'}` : `exit code ${exit.code}`;
}
