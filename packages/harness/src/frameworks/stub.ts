import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { messageOf } from '@caloron/noether/errors';
import { StubScript, type StubStep } from '@caloron/types';

import { agentAuthor, agentEnvironment } from '../environment.ts';
import { haltOnPause } from '../budget.ts';
import { HarnessError } from '../errors.ts';
import { runGroup } from '../run-group.ts';
import { NEXT_BY } from '../next-by.ts';
import { commitAll } from '../worktree.ts';
import type { Framework, FrameworkCall, FrameworkResult } from './framework.ts';
import { insideWorktree } from './inside.ts';
import type { Trouble } from './trouble.ts';
import { tokensOf, type UsageCount, usageCount } from './usage-count.ts';

/** An agent that follows a script: real files, real commands, real commits, no model. */
export const stub: Framework = {
  name: 'stub',
  model: false,
  scripted: true,
  async run(call) {
    const limit = AbortSignal.timeout(call.timeout_ms);
    const halt = haltOnPause(call.pause);
    const signal = AbortSignal.any([limit, call.signal, halt.signal]);
    const count = usageCount([]);
    const { steps, exit_code, feedback, end } = await attemptOf(call);
    const said: string[] = [];
    const say = (text: string): void => {
      said.push(text);
      call.onOutput(`${text}\n`);
    };
    let code = exit_code ?? (end === undefined ? 0 : 1);
    let left = steps.length;
    for (const step of steps) {
      halt.between();
      if (signal.aborted) break;
      left -= 1;
      try {
        await follow(step, { ...call, signal, count }, say);
      } catch (error) {
        if (signal.aborted) break;
        say(messageOf(error));
        code = 1;
        break;
      }
    }
    halt.close();
    const stopped = call.signal.aborted || (halt.signal.aborted && (left > 0 || code !== 0));
    const timed_out = !stopped && limit.aborted;
    return {
      code: stopped || timed_out ? null : code,
      signal: stopped || timed_out ? 'SIGTERM' : null,
      timed_out,
      stopped,
      text: said.join('\n'),
      tokens_used: tokensOf(count.usage),
      usage: count.usage,
      feedback: feedback === undefined ? null : withoutUndefined(feedback),
      trouble: end === undefined || stopped || timed_out ? null : troubleOf(end),
    } satisfies FrameworkResult;
  },
};

/** What the script says for this attempt: `attempts[min(n, length) - 1]`. */
async function attemptOf(call: FrameworkCall): Promise<StubScript['attempts'][number]> {
  const { order } = call;
  const script_dir = order.framework.options['script_dir'];
  if (script_dir === undefined || script_dir === '') {
    throw new HarnessError('HARNESS_FRAMEWORK_OPTION', {
      framework: 'stub',
      option: 'script_dir',
      expected: 'the directory of the scripts {task_id}.json',
    });
  }
  const file = join(script_dir, `${order.task.id}.json`);
  const { attempts } = await readScript(file);
  const attempt = attempts[Math.min(order.attempt, attempts.length) - 1];
  if (attempt === undefined) throw invalid(file, ['attempts is empty']);
  return attempt;
}

/** A stub's script. Throws HARNESS_SCRIPT_INVALID. */
export async function readScript(file: string): Promise<StubScript> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw invalid(file, [messageOf(error)], error);
  }
  const parsed = StubScript.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(
    file,
    parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`),
    parsed.error,
  );
}

async function follow(
  step: StubStep,
  call: FrameworkCall & { readonly count: UsageCount },
  say: (text: string) => void,
): Promise<void> {
  const { order } = call;
  if ('use' in step) {
    const { cache_read = 0, cache_write = 0, cost_usd, ...used } = step.use;
    call.count.hear({
      usage: { ...used, cache_read, cache_write, ...(cost_usd === undefined ? {} : { cost_usd }) },
    });
    call.onUsage?.(call.count.usage);
    return say(`used ${used.input} tokens of input and ${used.output} of output`);
  }
  if ('say' in step) return say(step.say);
  if ('next_by_m' in step) return say(`${NEXT_BY} ${step.next_by_m}m`);
  if ('await_nudge_ms' in step) return awaitNudge(step.await_nudge_ms, call, say);
  if ('wait_ms' in step) return delay(step.wait_ms, undefined, { signal: call.signal });
  if ('run' in step) return runStep(step.run, call);
  if ('commit' in step) {
    const sha = await commitAll(order.worktree, step.commit, agentAuthor(order), call.signal);
    return say(
      sha === null ? `nothing to commit: ${step.commit}` : `committed ${sha.slice(0, 12)} ${step.commit}`,
    );
  }
  if ('write' in step) {
    const target = await insideWorktree(order.worktree, step.write);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, step.content);
    return say(`wrote ${step.write}`);
  }
  if ('delete' in step) {
    await rm(await insideWorktree(order.worktree, step.delete), { recursive: true, force: true });
    return say(`deleted ${step.delete}`);
  }
  const target = await insideWorktree(order.worktree, step.replace);
  const before = await readFile(target, 'utf8');
  if (!before.includes(step.find)) {
    // A restarted attempt finds its own work done.
    if (before.includes(step.with)) return say(`${step.replace} is changed already`);
    throw new HarnessError('HARNESS_SCRIPT_STEP', {
      step: `replace in ${step.replace}`,
      reason: 'the text to find is not there',
    });
  }
  await writeFile(
    target,
    before.replace(step.find, () => step.with),
  );
  return say(`changed ${step.replace}`);
}

/** A nudge is answered by a line of output, as an agent would that is well. */
async function awaitNudge(ms: number, call: FrameworkCall, say: (text: string) => void): Promise<void> {
  const nudged = new AbortController();
  const end = call.onNudge?.((message) => {
    say(`nudged: ${message}`);
    nudged.abort();
  });
  try {
    await delay(ms, undefined, { signal: AbortSignal.any([call.signal, nudged.signal]) });
  } catch (error) {
    if (!nudged.signal.aborted) throw error;
  } finally {
    end?.();
  }
}

async function runStep(argv: readonly string[], call: FrameworkCall): Promise<void> {
  const exit = await runGroup({
    argv: call.confine(argv),
    cwd: call.order.worktree,
    env: agentEnvironment(call.env, call.order, call.prompt_file),
    stdin: null,
    timeout_ms: call.timeout_ms,
    signal: call.signal,
    onOutput: (text) => call.onOutput(text),
  });
  if (exit.code === 0) return;
  throw new HarnessError('HARNESS_SCRIPT_STEP', {
    step: `run ${argv.join(' ')}`,
    reason: `it ended with ${exit.code ?? exit.signal ?? 'nothing'}`,
  });
}

/** The trouble an attempt's `end` tells of. */
function troubleOf(end: NonNullable<StubScript['attempts'][number]['end']>): Trouble {
  const { class: kind, says, reset_in_ms } = end;
  return {
    class: kind,
    message: says ?? `the script ends in ${kind}`,
    ...(reset_in_ms === undefined ? {} : { reset_in_ms }),
  };
}

/** Keys given as undefined are keys left out. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function invalid(file: string, issues: readonly string[], cause?: unknown): HarnessError {
  return new HarnessError('HARNESS_SCRIPT_INVALID', { file, issues }, { cause });
}
