import { codeOf } from '@caloron/noether/stage';
import { parseMarker, type ActionOf, type ForgeIssue, type ForgeRepo, type Task } from '@caloron/types';

import {
  actionMarker,
  commentOnce,
  firstOfOurs,
  signed,
  taskOf,
  type ActContext,
  type Acted,
} from './act_context.ts';
import { takenBackOfCancelled } from './overtaken.ts';
import { written } from './unsure_write.ts';

/** The label of what a person has to look at. */
const ESCALATED_LABEL = 'caloron:escalated';

/** What a login is made of, on the hosts we know. */
const LOGIN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** Assignees an issue can have. Source: GitHub, assigning issues. */
const MOST_ASSIGNEES = 10;

/** Opens a task's issue, or finds the one that carries its hidden line. None is opened for a task that a person gave up meanwhile. */
export async function createIssue(action: ActionOf<'create_issue'>, context: ActContext): Promise<Acted> {
  const { sprint_id, task_id, title, body, labels } = action;
  const marked = (await context.taskIssues()).filter((issue) => {
    const marker = isEscalation(issue) ? undefined : parseMarker(issue.body);
    return marker?.sprint_id === sprint_id && marker?.task_id === task_id;
  });
  const existing = await firstOfOurs(marked, context);
  if (existing !== undefined) {
    return {
      result: { issue_number: existing.number, already: true },
      line: `issue:#${String(existing.number)}`,
    };
  }
  const given_up = await takenBackOfCancelled(action, context);
  if (given_up !== undefined) return given_up;
  for (const label of labels) await context.ensureLabel(label);
  const repo = context.forge();
  const issue = await written(context, () => repo.createIssue({ title, body, labels }));
  return { result: { issue_number: issue.number }, line: `issue:#${String(issue.number)}` };
}

/** Ends a task's issue: label, "Completed via PR #n", closed. Each step finds itself done. */
export async function markDone(action: ActionOf<'mark_done'>, context: ActContext): Promise<Acted> {
  const { issue_number, pr_number } = action;
  const repo = context.forge();
  await context.ensureLabel('caloron:done');
  await repo.addLabels(issue_number, ['caloron:done']);
  const { comment_id, already } = await commentOnce(
    action,
    issue_number,
    `Completed via PR #${String(pr_number)}`,
    context,
  );
  await repo.closeIssue(issue_number);
  return { result: { issue_number, comment_id, already }, line: `done:#${String(issue_number)}` };
}

/** Tells an agent something on its issue. */
export async function notify(action: ActionOf<'notify_agent'>, context: ActContext): Promise<Acted> {
  const { issue_number, message, add_labels = [], remove_labels = [] } = action;
  for (const label of add_labels) await context.ensureLabel(label);
  if (add_labels.length > 0) await context.forge().addLabels(issue_number, add_labels);
  for (const label of remove_labels) await context.forge().removeLabel(issue_number, label);
  if (message === '')
    return { result: { already: false }, line: `notify:${action.agent_id ?? action.task_id ?? ''}` };
  const { comment_id, already } = await commentOnce(action, issue_number, message, context);
  return { result: { comment_id, already }, line: `notify:${action.agent_id ?? action.task_id ?? ''}` };
}

/** Asks a person: one open issue per task and cause; a cause that comes back is a comment on it. */
export async function escalate(action: ActionOf<'escalate'>, context: ActContext): Promise<Acted> {
  const repo = context.forge();
  const line = `escalate:${action.agent_id ?? action.task_id ?? action.sprint_id ?? ''}`;
  const own = actionMarker(action.action_id);
  const all = (await repo.issuesWithLabel(ESCALATED_LABEL)).filter((issue) => isAbout(issue, action));
  const before = await firstOfOurs(
    all.filter(({ body }) => body.includes(own)),
    context,
  );
  if (before !== undefined) return { result: { issue_number: before.number, already: true }, line };

  const open = await firstOfOurs(
    all.filter(({ state }) => state === 'open'),
    context,
  );
  const people = peopleOf(context);
  if (open !== undefined) {
    const { comment_id, already } = await commentOnce(
      action,
      open.number,
      withPeople(people, action.message),
      context,
    );
    return { result: { issue_number: open.number, comment_id, already }, line };
  }
  await context.ensureLabel(ESCALATED_LABEL);
  const about = action.task_id ?? action.sprint_id ?? 'sprint';
  const task = action.task_id === null ? null : taskOf(action, context);
  const asked = {
    title: `Escalation: ${about} — ${action.reason_code}`,
    body: escalationBody(action, task, people),
    labels: [ESCALATED_LABEL],
  };
  const issue = await written(context, () => openFor(people, asked, repo));
  return { result: { issue_number: issue.number }, line };
}

/** The people of a sprint that can be mentioned. */
function peopleOf({ snapshot }: ActContext): readonly string[] {
  return snapshot.state.sprint.human_logins.filter((login) => LOGIN.test(login));
}

/** Addresses a text to people, and to nobody else: what hosts and agents have said in it mentions no one. */
function withPeople(people: readonly string[], text: string): string {
  const quiet = text.replaceAll(/(?<![\w`])@(?=\w)/g, '@\u200b');
  return people.length === 0 ? quiet : `${people.map((login) => `@${login}`).join(' ')}: ${quiet}`;
}

/** Opens an issue and assigns it; a host that lets one of them be assigned nothing gets it without: they are mentioned in it. */
async function openFor(
  assignees: readonly string[],
  issue: Parameters<ForgeRepo['createIssue']>[0],
  repo: ForgeRepo,
): Promise<ForgeIssue> {
  if (assignees.length === 0) return repo.createIssue(issue);
  try {
    return await repo.createIssue({ ...issue, assignees: assignees.slice(0, MOST_ASSIGNEES) });
  } catch (error) {
    // Nothing was created: these are refusals of what was asked.
    if (codeOf(error) !== 'FORGE_INVALID' && codeOf(error) !== 'FORGE_NOT_FOUND') throw error;
    return repo.createIssue(issue);
  }
}

function escalationBody(action: ActionOf<'escalate'>, task: Task | null, people: readonly string[]): string {
  const places = [
    ...(task?.issue_number ? [`Issue: #${String(task.issue_number)}`] : []),
    ...(action.pr_number === null ? [] : [`Pull request: #${String(action.pr_number)}`]),
  ];
  const hidden = `${sprintLine(action)}<!-- caloron-escalation:${action.reason_code} -->`;
  return signed([withPeople(people, action.message), ...places, hidden].join('\n\n'), action);
}

function sprintLine({ sprint_id }: ActionOf<'escalate'>): string {
  return `<!-- caloron-sprint:${sprint_id ?? ''} -->`;
}

function isEscalation(issue: ForgeIssue): boolean {
  return issue.body.includes('<!-- caloron-escalation:');
}

function isAbout(issue: ForgeIssue, action: ActionOf<'escalate'>): boolean {
  if (!issue.body.includes(`<!-- caloron-escalation:${action.reason_code} -->`)) return false;
  if (!issue.body.includes(sprintLine(action))) return false;
  return (parseMarker(issue.body)?.task_id ?? null) === action.task_id;
}
