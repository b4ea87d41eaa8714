import { frameworkVariables, isCommonVariable, workspaceVariables } from '@caloron/types';
import type { Order } from '@caloron/types';

/** Never handed to a child, whatever an option asks for. */
const NEVER = /^(CALORON_(ORDER_FILE|SHELL_TOKEN|TOKEN_ENVS|DB)|NOETHER_KV_PATH)$|_SHELL_TOKEN$/;

/** Commands that check work: programs and language, neither keys nor tokens; `CI` keeps test runners from watching. */
export function verifyEnvironment(
  env: Readonly<Record<string, string>>,
  order: Order,
): Record<string, string> {
  return { ...common(env), ...identity(order), CI: 'true' };
}

/**
 * The environment of an agent's framework: the common variables, those its framework needs, those option
 * `pass_env` names, its identity in git and `CALORON_PROCESS_ID`, by which the shell finds it in /proc.
 */
export function agentEnvironment(
  env: Readonly<Record<string, string>>,
  order: Order,
  prompt_file: string,
): Record<string, string> {
  const asked = (order.framework.options['pass_env'] ?? '').split(/[\s,]+/).filter((name) => name !== '');
  const wanted = [...frameworkVariables(order.framework.name), ...asked].filter((name) => !NEVER.test(name));
  const taken = wanted.flatMap((name) => {
    const value = env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...common(env),
    ...Object.fromEntries(taken),
    ...identity(order),
    CALORON_WORKTREE: order.worktree,
    CALORON_PROMPT_FILE: prompt_file,
  };
}

/** The environment of a hook around a run: programs and language, what the run is about; neither keys nor tokens. */
export function hookEnvironment(
  env: Readonly<Record<string, string>>,
  order: Order,
  hook: string,
): Record<string, string> {
  const { worktree, branch, base_sha, mode } = order;
  return {
    ...common(env),
    ...identity(order),
    CALORON_HOOK: hook,
    CALORON_WORKTREE: worktree,
    CALORON_BRANCH: branch,
    CALORON_BASE_SHA: base_sha,
    CALORON_MODE: mode,
  };
}

/** Name and address an agent's commits carry. */
export function agentAuthor(order: Order): { name: string; email: string } {
  const name = `caloron-agent-${order.agent_id}`;
  return { name, email: `${name}@caloron.invalid` };
}

function common(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => isCommonVariable(name)));
}

function identity(order: Order): Record<string, string> {
  const { name, email } = agentAuthor(order);
  return {
    CALORON_PROCESS_ID: order.process_id,
    CALORON_SPRINT_ID: order.sprint_id,
    CALORON_TASK_ID: order.task.id,
    CALORON_AGENT_ID: order.agent_id,
    CALORON_AGENT_ROLE: order.role,
    CALORON_ATTEMPT: String(order.attempt),
    ...workspaceVariables(order.workspace),
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
    GIT_TERMINAL_PROMPT: '0',
  };
}
