import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

import type { Logger } from '@caloron/capabilities/logger';
import { CodedError, codeOf, isRetryable, messageOf } from '@caloron/noether/errors';
import type { Clock, EndCause, ForgeRepo, Order, Report } from '@caloron/types';
import { totalTokens } from '@caloron/types';
import pRetry from 'p-retry';

import { createActivity } from './activity.ts';
import { author, withFeedback } from './author.ts';
import { createSpending } from './budget.ts';
import { lostBase } from './base.ts';
import { sentenceOf } from './classify.ts';
import type { HarnessConfig } from './config.ts';
import { type Ending, ending, type HarnessContext, note, SHELL_PATIENCE_MS, stopReason } from './context.ts';
import { HarnessError } from './errors.ts';
import { writeExit, writeReport } from './exit-file.ts';
import type { Framework } from './frameworks/framework.ts';
import { frameworkNamed } from './frameworks/table.ts';
import { createAwakeTime } from './awake-time.ts';
import { createCpuWatch } from './cpu-watch.ts';
import { startHeartbeat } from './heartbeat.ts';
import { afterRun, beforeRun } from './hooks.ts';
import { openLog } from './log-file.ts';
import { createAgentCpu } from './process-tree.ts';
import { redactedForge, redactedLog, redactorOf } from './redaction.ts';
import { reviewer } from './reviewer.ts';
import { createSandbox } from './sandbox.ts';
import { createAgentShell } from './shell-client.ts';
import { lookAt } from './worktree.ts';

/** Characters of a report's body. */
const BODY_LIMIT = 16_000;

/** Milliseconds the shell has to take the report: it may be restarting, or be down until a person looks. */
const REPORT_DEADLINE_MS = SHELL_PATIENCE_MS;

/** The same for a run that was told to stop: the next signal is SIGKILL. */
const STOPPED_REPORT_DEADLINE_MS = 3000;

/** What the harness is given from outside. */
export interface HarnessDeps {
  readonly config: HarnessConfig;
  /** Where the order lay: `exit.json` and `report.json` are left there. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Aborted on SIGTERM. */
  readonly signal: AbortSignal;
  /** Opens the order's repository with a token in hand. */
  readonly openForge: (order: Order, token: string) => ForgeRepo;
}

/** Does what the order says, reports it to the shell, leaves exit.json; gives the exit code, 0 only for work that was done. */
export async function runHarness(order: Order, deps: HarnessDeps): Promise<number> {
  const { directory, clock } = deps;
  const logger = deps.logger.child({ process_id: order.process_id, task_id: order.task.id });
  const started = performance.now();
  const elapsedMs = (): number => performance.now() - started;
  const awake = createAwakeTime(() => performance.now());
  const monotonic = (): number => awake.now();
  const cpu = createCpuWatch(createAgentCpu(process.pid, order.process_id, monotonic), monotonic);
  const stop = new AbortController();
  const redactor = redactorOf(order, deps.config.env);
  const log = redactedLog(openLog(order.log_file), redactor);
  const sandbox = createSandbox({
    order,
    directory,
    env: deps.config.env,
    prompt_file: join(directory, 'prompt.md'),
  });
  const context: HarnessContext = {
    order,
    config: deps.config,
    directory,
    shell: createAgentShell({ url: order.shell_url, file: order.shell_file }, order.agent_token),
    clock,
    logger,
    confine: sandbox.confine,
    scratch: sandbox.scratch,
    log,
    activity: createActivity({ clock, monotonic, timeout_ms: order.timeout_ms }),
    spending: createSpending({
      model: order.framework.options['model'],
      budget: order.budget,
      elapsedMs,
      onOver: (reason) => note(context, `pauses: ${reason}`),
    }),
    signal: AbortSignal.any([deps.signal, stop.signal]),
    redactor,
    openForge: redactedForge((token) => deps.openForge(order, token), redactor),
    elapsedMs,
    turnEnded: async () => beats.turnEnded(context.signal),
  };
  const beats = startHeartbeat({
    order,
    shell: context.shell,
    activity: context.activity,
    logger,
    clock,
    look: async () => lookAt(order.worktree).catch(() => undefined),
    worked: () => cpu.worked(),
    onStop(reason) {
      note(context, `the shell says stop: ${reason}`);
      stop.abort(new HarnessError('HARNESS_STOPPED', { reason }));
    },
    spending: context.spending,
    onPause(reason) {
      if (context.spending.pause_reason !== null) return;
      note(context, `the shell says pause: ${reason}`);
      context.spending.askToPause(reason);
    },
    onNudge(message) {
      note(context, `the shell says: ${message}`);
      context.activity.nudge(message);
    },
  });
  try {
    note(context, `attempt ${order.attempt}: ${order.role} ${order.mode} of ${order.task.id}`);
    const end = await perform(context);
    // Told to stop, the report goes first: there may be no time for both.
    const stopped = context.signal.aborted;
    if (!stopped) await afterRun(context);
    const report = redactor.value(reportOf(context, end));
    await writeReport(directory, report);
    const told = await tell(context, report);
    const code = told ? (report.exit.code ?? 1) : 1;
    await writeExit(directory, { ...report.exit, code, at: clock.now() });
    if (stopped) await afterRun(context);
    const why = end.cause === null ? '' : ` (${end.cause.class})`;
    note(context, `ended: ${end.outcome}${why}, exit code ${code}`);
    return code;
  } finally {
    await beats.stop();
    context.spending.close();
    awake.close();
    sandbox.close();
    log.close();
  }
}

/** The role's work; whatever goes wrong becomes its ending. */
async function perform(context: HarnessContext): Promise<Ending> {
  const { order } = context;
  let framework: Framework | undefined;
  try {
    framework = frameworkNamed(order.framework.name);
    await beforeRun(context);
    return order.role === 'reviewer' ? await reviewer(context, framework) : await author(context, framework);
  } catch (error) {
    const end = failure(context, error);
    note(context, context.redactor.text(end.body));
    if (order.role === 'reviewer' || framework === undefined || context.signal.aborted) return end;
    return withFeedback(context, framework, end, null, end.body);
  }
}

function failure({ order, signal }: HarnessContext, error: unknown): Ending {
  const cause = signal.aborted ? stopReason(signal) : error;
  const base_lost = lostBase(cause);
  const hint = cause instanceof CodedError && cause.hint !== undefined ? ` (${cause.hint})` : '';
  return ending('failed', `${codeOf(cause)}: ${messageOf(cause)}${hint}`, {
    head_sha: order.role === 'reviewer' ? order.head_sha : null,
    pr_number: order.task.pr_number,
    ...(base_lost === undefined ? {} : { base_lost }),
    cause: signal.aborted ? stoppedCause(cause) : (hookCause(cause) ?? transientCause(cause)),
  });
}

/** A failed hook is a run that crashed: tried again after a pause, for a person after the last. */
function hookCause(error: unknown): EndCause | null {
  if (codeOf(error) !== 'HARNESS_HOOK_FAILED') return null;
  const [sentence = ''] = messageOf(error).split('\n');
  return { class: 'crash', until: null, provider: null, sentence: sentenceOf(sentence) };
}

/** The run was ended from outside: that is no failure of the agent. */
function stoppedCause(error: unknown): EndCause {
  return { class: 'stopped', until: null, provider: null, sentence: sentenceOf(messageOf(error)) };
}

/** What may succeed later was in the way: the forge or the shell, say. */
function transientCause(error: unknown): EndCause | null {
  if (!isRetryable(error)) return null;
  return { class: 'transient', until: null, provider: null, sentence: sentenceOf(messageOf(error)) };
}

function reportOf(context: HarnessContext, { cause, ...end }: Ending): Report {
  const { order, activity, spending, clock } = context;
  const done = ['completed', 'no_changes', 'approved', 'changes_requested'].includes(end.outcome);
  return {
    sprint_id: order.sprint_id,
    task_id: order.task.id,
    agent_id: order.agent_id,
    process_id: order.process_id,
    role: order.role,
    attempt: order.attempt,
    mode: order.mode,
    ...end,
    body: end.body.slice(0, BODY_LIMIT),
    exit: {
      code: done ? 0 : 1,
      signal: null,
      at: clock.now(),
      known: true,
      ...(cause === null ? {} : { cause }),
    },
    tokens_used: Math.max(activity.tokens_used, totalTokens(spending.usage)),
    usage: spending.usage,
    duration_ms: Math.round(context.elapsedMs()),
  };
}

/** Sends the report until the shell takes it, refuses it for good, or the deadline is over. */
async function tell(context: HarnessContext, report: Report): Promise<boolean> {
  const maxRetryTime = context.signal.aborted ? STOPPED_REPORT_DEADLINE_MS : REPORT_DEADLINE_MS;
  context.activity.at('reporting');
  try {
    await pRetry(async () => context.shell.report(report), {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: 300,
      maxTimeout: 10_000,
      // Agents that lost their shell at one moment do not all come back at one.
      randomize: true,
      maxRetryTime,
      shouldRetry: ({ error }) => isRetryable(error),
      onFailedAttempt: ({ error }) => note(context, `report not taken: ${messageOf(error)}`),
    });
    return true;
  } catch (error) {
    context.logger.error({ reason: messageOf(error) }, 'the report was not delivered; it is in report.json');
    return false;
  }
}
