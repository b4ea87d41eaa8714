import { CodedError, codeOf, messageOf } from '@caloron/noether/stage';
import type {
  ActionOf,
  ActionResult,
  Shell,
  SpawnReply,
  SpawnRequest,
  StatusReply,
  Task,
} from '@caloron/types';

import { isWait } from '../dag/room.ts';
import { actionMarker, commentOnce, taskOf, type ActContext, type Acted } from './act_context.ts';
import { claimTask } from './claim.ts';
import { ActError } from './errors.ts';

/** Milliseconds an agent has to end by itself after the signal, before it is killed. */
const GRACE_MS = 10_000;

/** Starts an agent; the same action_id is answered with the same process. */
export function startAgent(shell: Shell, request: SpawnRequest): Promise<SpawnReply> {
  return shell.spawn(request);
}

/** Starts an agent. Throws what the shell says where it has no room for one, with the shell's own code. */
async function startWithRoom(shell: Shell, request: SpawnRequest): Promise<SpawnReply> {
  try {
    return await startAgent(shell, request);
  } catch (error) {
    const refused = refusalOf(error);
    if (refused === undefined || !isWait(refused)) throw error;
    throw new CodedError<Record<string, object>>(refused.code, {}, refused.error, {
      cause: error,
      retryable: true,
    });
  }
}

/** Starts an agent on its task, once nobody else can, and says so on its issue the first time. */
export async function spawn(action: ActionOf<'spawn_agent'>, context: ActContext): Promise<Acted> {
  const { state } = context.snapshot;
  const task = taskOf(action, context);
  const agent_id = action.agent_id ?? task.agent_id;
  // The verify commands ask no provider for anything.
  const held = action.mode === 'verify' ? undefined : await context.heldElsewhere();
  if (held !== undefined) {
    const { provider, until, sprint_id } = held;
    throw new ActError('PROVIDER_HELD', { provider, sprint_id, reset_at: until }, { retryable: true });
  }
  const claim = await claimTask(action, task, context);
  const reply = await startWithRoom(context.shell(), {
    sprint_id: state.sprint_id,
    task_id: task.id,
    agent_id,
    repo: state.sprint.repo,
    action_id: action.action_id,
    role: action.role,
    mode: action.mode,
    attempt: action.attempt,
    issue_number: action.issue_number,
    instruction: action.instruction,
    head_sha: action.head_sha,
  });
  const { pid, process_id, base_sha, existing } = reply;
  const done = {
    result: { pid, process_id, base_sha, already: existing },
    line: `spawn:${agent_id} (pid=${String(pid)})`,
  };
  if (action.role !== 'author' || action.mode !== 'start') return done;
  try {
    await context.ensureLabel('caloron:assigned');
    await context.forge().addLabels(action.issue_number, ['caloron:assigned']);
    if (claim.text.includes(actionMarker(action.action_id)))
      return { ...done, result: { ...done.result, comment_id: claim.comment_id } };
    const text = `@caloron-agent-${agent_id} has been assigned this task.`;
    const { comment_id } = await commentOnce(action, action.issue_number, text, context);
    return { ...done, result: { ...done.result, comment_id } };
  } catch (error) {
    // The agent runs: a comment that could not be written must not start it again.
    return {
      ...done,
      notes: [`assign:#${String(action.issue_number)}: ${codeOf(error)}: ${messageOf(error)}`],
    };
  }
}

/**
 * Takes one rung of the ladder: a probe asks the agent and on the issue; a restart stops the process, and its exit starts the next. A verdict
 * that has been overtaken, by progress, a person or another process, is taken back: nothing is stopped or said then.
 */
export async function supervise(action: ActionOf<'supervisor'>, context: ActContext): Promise<Acted> {
  const task = taskOf(action, context);
  const who = action.agent_id ?? task.agent_id;
  const live = action.action === 'probe' ? undefined : await liveAuthor(action, context);
  const overtaken = overtakenBy(action, task, live);
  if (overtaken !== null)
    return { result: { taken_back: overtaken }, line: `${action.action}:${who} (taken back: ${overtaken})` };
  if (action.action === 'probe') return probe(action, task, context);
  const line = `${action.action}:${who}`;
  const result: ActionResult =
    live === undefined ? { already: true } : await stopStalled(action, live, context);
  if (task.issue_number === null) return { result, line };
  try {
    const message = [action.message, keptText(result)].filter((text) => text !== '').join(' ');
    const { comment_id, already } = await commentOnce(action, task.issue_number, message, context);
    return { result: { already, ...result, comment_id }, line };
  } catch (error) {
    // The restart has happened.
    return { result, line, notes: [`${line}: ${codeOf(error)}: ${messageOf(error)}`] };
  }
}

/** Asks the agent itself, by its next heartbeat, and everybody on the issue; the comment is what has to be there. */
async function probe(action: ActionOf<'supervisor'>, task: Task, context: ActContext): Promise<Acted> {
  const { sprint_id } = context.snapshot.state;
  const agent_id = action.agent_id ?? task.agent_id;
  const line = `probe:${agent_id} (${action.reason})`;
  const notes: string[] = [];
  try {
    await context.shell().nudge({ sprint_id, agent_id, message: action.message });
  } catch (error) {
    notes.push(`${line}: ${codeOf(error)}: ${messageOf(error)}`);
  }
  if (task.issue_number === null) return { result: {}, line, notes };
  const { comment_id, already } = await commentOnce(action, task.issue_number, action.message, context);
  return { result: { already, comment_id }, line, notes };
}

type Agent = StatusReply['agents'][number];

/** The live author a supervision is about; undefined when it has none. */
async function liveAuthor(
  { task_id, agent_id, process_id }: ActionOf<'supervisor'>,
  context: ActContext,
): Promise<Agent | undefined> {
  const { sprint_id } = context.snapshot.state;
  const { agents } = await context.shell().status();
  const live = agents.filter(
    (each) =>
      each.alive && each.sprint_id === sprint_id && each.task_id === task_id && each.role === 'author',
  );
  if (process_id !== undefined) return live.find((each) => each.process_id === process_id);
  return live.find((each) => each.agent_id === agent_id) ?? live[0];
}

/** What has happened since an intervention was decided that makes it wrong; null when nothing has. */
function overtakenBy(action: ActionOf<'supervisor'>, task: Task, live: Agent | undefined): string | null {
  const { process_id, decided_at } = action;
  if (task.status !== 'InProgress') return `the task is ${task.status}`;
  if (task.rung === 0) return 'a person answered';
  if (process_id !== undefined && task.process_id !== null && task.process_id !== process_id)
    return 'another process has the task';
  const at = live?.last_progress_at ?? null;
  if (decided_at !== undefined && at !== null && at > decided_at) return `it got on at ${at}`;
  return null;
}

async function stopStalled(
  { reason }: ActionOf<'supervisor'>,
  { process_id }: Agent,
  context: ActContext,
): Promise<ActionResult> {
  const why = `stalled: ${reason}`.slice(0, 300);
  const { wip_ref, tail } = await context.shell().stop({ process_id, grace_ms: GRACE_MS, reason: why });
  return {
    already: false,
    process_id,
    ...(wip_ref === null ? {} : { wip_ref }),
    ...(tail === undefined || tail === '' ? {} : { tail }),
  };
}

/** Where what a stopped agent had not committed is kept. */
function keptText({ wip_ref }: ActionResult): string {
  return wip_ref === undefined ? '' : `What it had not committed is also saved as \`${wip_ref}\`.`;
}

/** Stops one process; one that is gone, or that the shell does not know, is stopped. */
export async function stop(action: ActionOf<'stop_agent'>, context: ActContext): Promise<Acted> {
  const { process_id, grace_ms, pause } = action;
  const line = `${pause === undefined ? 'stop' : 'pause'}:${action.agent_id ?? process_id}`;
  const shell = context.shell();
  const { agents } = await shell.status();
  const known = agents.find((agent) => agent.process_id === process_id);
  if (known !== undefined && !known.alive) return { result: { process_id, already: true }, line };
  try {
    await shell.stop({
      process_id,
      grace_ms,
      reason: action.reason ?? 'its task needs it no longer',
      ...(pause === undefined ? {} : { pause }),
    });
    return { result: { process_id }, line };
  } catch (error) {
    if (refusalOf(error)?.code !== 'PROCESS_UNKNOWN') throw error;
    return { result: { process_id, already: true }, line };
  }
}

/** The shell's own code and sentence of a refusal; undefined for any other error. */
function refusalOf(error: unknown): { readonly code: string; readonly error: string } | undefined {
  if (!(error instanceof CodedError) || error.code !== 'SHELL_REFUSED') return undefined;
  const details: unknown = error.details;
  if (typeof details !== 'object' || details === null || !('code' in details)) return undefined;
  return { code: String(details.code), error: 'error' in details ? String(details.error) : error.message };
}

/** Removes a task's worktree if it is clean and merged, then its branch. What is kept is no failure: it is kept for a person. */
export async function cleanup(action: ActionOf<'cleanup'>, context: ActContext): Promise<Acted> {
  const task = taskOf(action, context);
  const { sprint_id } = context.snapshot.state;
  const { removed, reason } = await context
    .shell()
    .cleanup({ sprint_id, task_id: task.id, merge_sha: action.merge_sha });
  const line = removed ? `cleanup:${task.id}` : `cleanup:${task.id} (kept: ${reason ?? 'no reason given'})`;
  if (!removed || action.merge_sha === null) return { result: {}, line };
  try {
    await context.forge().deleteBranch(action.branch);
    return { result: {}, line };
  } catch (error) {
    return {
      result: {},
      line,
      notes: [`${line}: branch ${action.branch}: ${codeOf(error)}: ${messageOf(error)}`],
    };
  }
}

/** Stops every live agent of the sprint. */
export async function stopAll(context: ActContext): Promise<void> {
  const shell = context.shell();
  const { sprint_id } = context.snapshot.state;
  const { agents } = await shell.status();
  const live = agents.filter((agent) => agent.alive && agent.sprint_id === sprint_id);
  const reason = 'its sprint is over';
  await Promise.all(live.map(({ process_id }) => shell.stop({ process_id, grace_ms: GRACE_MS, reason })));
}
