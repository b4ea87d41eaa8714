import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** Why the shell refused or could not do something: code → facts. */
export interface ShellErrorDetails {
  /** A flag or variable has a value that cannot be used. */
  SHELL_CONFIG_INVALID: { readonly name: string; readonly value: string; readonly expected: string };
  /** Processes are told apart through /proc, which only Linux has. */
  SHELL_PLATFORM: { readonly platform: string };
  /** Another shell serves this home. */
  SHELL_ALREADY_RUNNING: { readonly home: string; readonly pid: number };
  /** The port is taken by another program. */
  SHELL_PORT_IN_USE: { readonly host: string; readonly port: number };
  /** The token file cannot be used. */
  SHELL_TOKEN_FILE: { readonly file: string; readonly reason: string };
  /** The body or query does not have the documented shape. */
  REQUEST_INVALID: { readonly issues: readonly string[] };
  /** The body is not JSON. */
  REQUEST_NOT_JSON: { readonly reason: string };
  /** The body has another content type than application/json. */
  REQUEST_TYPE_UNSUPPORTED: { readonly type: string };
  /** The body is larger than the limit. */
  REQUEST_TOO_LARGE: { readonly limit_bytes: number };
  /** There is no such route. */
  ROUTE_UNKNOWN: { readonly method: string; readonly path: string };
  /** The header x-caloron-token is missing or unknown. */
  TOKEN_INVALID: Record<string, never>;
  /** The token is good, but not for this route or these ids. */
  TOKEN_FORBIDDEN: { readonly reason: string };
  /** The sprint was never kicked off. */
  SPRINT_UNKNOWN: { readonly sprint_id: string };
  /** The sprint has no such task. */
  TASK_UNKNOWN: { readonly sprint_id: string; readonly task_id: string };
  /** A person gave the task up: no agent is started on it any more. */
  TASK_CANCELLED: { readonly sprint_id: string; readonly task_id: string };
  /** The agent was never spawned in this sprint. */
  AGENT_UNKNOWN: { readonly sprint_id: string | null; readonly agent_id: string };
  /** No process has this id. */
  PROCESS_UNKNOWN: { readonly process_id: string };
  /** The request names another repository than the sprint. */
  REPO_MISMATCH: { readonly repo: string; readonly expected: string };
  /** The agent has a live process already, in this or another sprint. */
  AGENT_BUSY: {
    readonly agent_id: string;
    readonly process_id: string;
    readonly sprint_id: string;
    readonly task_id: string;
  };
  /** A process of this task and role may still live. */
  TASK_BUSY: { readonly task_id: string; readonly role: string; readonly process_id: string };
  /** Another process is at work on the task's worktrees. */
  TASK_LOCKED: { readonly task_id: string; readonly pid: number; readonly doing: string };
  /** The task has no issue yet and the request names none. */
  ISSUE_MISSING: { readonly sprint_id: string; readonly task_id: string };
  /** The base branch is not on the forge. */
  BASE_UNKNOWN: {
    readonly repo: string;
    readonly branch: string;
    /** What the forge calls the default branch now; null when it does not say. */
    readonly default_branch: string | null;
  };
  /** The repository could not be fetched: nothing is started from what was fetched before. */
  FETCH_FAILED: { readonly repo: string; readonly reason: string };
  /** The commit to review or to resume from is not on the forge. */
  HEAD_UNKNOWN: { readonly repo: string; readonly head: string };
  /** What lies where the worktree should be is not ours, or not on the expected branch. */
  WORKTREE_FOREIGN: { readonly worktree: string; readonly reason: string };
  /** Saved work is not put over uncommitted work. */
  WIP_TARGET_DIRTY: { readonly target: string };
  /** Saved work cannot be put there. */
  WIP_TARGET_UNFIT: { readonly target: string; readonly reason: string };
  /** The process of this action could not be started. */
  SPAWN_FAILED: { readonly process_id: string; readonly reason: string };
  /** Agents must be confined, and cannot be on this machine. */
  SANDBOX_UNAVAILABLE: {
    /** Null when the shell itself was asked for one. */
    readonly sprint_id: string | null;
    readonly required_by: string;
    readonly reason: string;
  };
  /** A path that agents of a sprint shall see beside their worktree cannot be shown. */
  SANDBOX_PATH_INVALID: { readonly field: string; readonly path: string; readonly reason: string };
  /** The hook that makes a new worktree ready failed; `kept` says whether the worktree is still there. */
  HOOK_FAILED: {
    readonly hook: string;
    readonly argv: readonly string[];
    readonly reason: string;
    readonly tail: string;
    readonly worktree: string;
    readonly kept: boolean;
  };
  /** No block of ports is left for a worktree. */
  PORTS_EXHAUSTED: {
    readonly worktree: string;
    readonly count: number;
    readonly first: number;
    readonly last: number;
  };
  /** The process is still there after SIGKILL. */
  STOP_FAILED: {
    readonly process_id: string;
    readonly pid: number;
    /** True for one of another pid namespace, which no signal reaches: it is told with its next heartbeat. */
    readonly unseen?: true;
  };
  /** The variable is not on the list of token variables. */
  CREDENTIAL_NOT_ALLOWED: { readonly token_env: string; readonly allowed: readonly string[] };
  /** The variable's token belongs to another host than the sprint's; null: nobody said where it belongs. */
  CREDENTIAL_OTHER_HOST: {
    readonly token_env: string;
    readonly host: string;
    readonly belongs_to: string | null;
  };
  /** The variable that holds the forge token is not set in the shell's environment. */
  CREDENTIAL_MISSING: { readonly token_env: string };
}

const messages: Messages<ShellErrorDetails> = {
  SHELL_CONFIG_INVALID: ({ name, value, expected }) =>
    `${name} is ${JSON.stringify(value)}, expected ${expected}`,
  SHELL_PLATFORM: ({ platform }) => `caloron-shell needs Linux and its /proc; this is ${platform}`,
  SHELL_ALREADY_RUNNING: ({ home, pid }) => `a shell with pid ${pid} serves ${home} already`,
  SHELL_PORT_IN_USE: ({ host, port }) => `port ${port} on ${host} is in use`,
  SHELL_TOKEN_FILE: ({ file, reason }) => `the shell token file ${file} ${reason}`,
  REQUEST_INVALID: ({ issues }) => `the request is not valid: ${issues.join('; ')}`,
  REQUEST_NOT_JSON: ({ reason }) => `the body is not JSON: ${reason}`,
  REQUEST_TYPE_UNSUPPORTED: ({ type }) => `content type ${JSON.stringify(type)}, expected application/json`,
  REQUEST_TOO_LARGE: ({ limit_bytes }) => `the body is larger than ${limit_bytes} bytes`,
  ROUTE_UNKNOWN: ({ method, path }) => `no route ${method} ${path}`,
  TOKEN_INVALID: () => 'missing or invalid x-caloron-token header',
  TOKEN_FORBIDDEN: ({ reason }) => `this token does not allow that: ${reason}`,
  SPRINT_UNKNOWN: ({ sprint_id }) => `no sprint ${sprint_id}`,
  TASK_UNKNOWN: ({ sprint_id, task_id }) => `sprint ${sprint_id} has no task ${task_id}`,
  TASK_CANCELLED: ({ sprint_id, task_id }) => `task ${task_id} of sprint ${sprint_id} was given up`,
  AGENT_UNKNOWN: ({ sprint_id, agent_id }) =>
    `agent ${agent_id} was never spawned${sprint_id === null ? '' : ` in sprint ${sprint_id}`}`,
  PROCESS_UNKNOWN: ({ process_id }) => `no process ${process_id}`,
  REPO_MISMATCH: ({ repo, expected }) => `the request is for ${repo}, the sprint works in ${expected}`,
  AGENT_BUSY: ({ agent_id, process_id, sprint_id, task_id }) =>
    `agent ${agent_id} works on ${sprint_id}/${task_id} (process ${process_id})`,
  TASK_BUSY: ({ task_id, role, process_id }) =>
    `task ${task_id} may still have its ${role} (process ${process_id})`,
  TASK_LOCKED: ({ task_id, pid, doing }) => `the worktree of ${task_id} is in use: pid ${pid} is to ${doing}`,
  ISSUE_MISSING: ({ sprint_id, task_id }) => `task ${task_id} of sprint ${sprint_id} has no issue yet`,
  BASE_UNKNOWN: ({ repo, branch, default_branch }) =>
    `${repo} has no branch ${branch}, the sprint's base${default_branch === null || default_branch === branch ? '' : `; its default branch is ${default_branch}`}`,
  FETCH_FAILED: ({ repo, reason }) => `${repo} could not be fetched: ${reason}`,
  HEAD_UNKNOWN: ({ repo, head }) => `${repo} has no ${head}`,
  WORKTREE_FOREIGN: ({ worktree, reason }) => `${worktree} cannot be used: ${reason}`,
  WIP_TARGET_DIRTY: ({ target }) => `${target} has uncommitted work and was left as it is`,
  WIP_TARGET_UNFIT: ({ target, reason }) => `saved work cannot go to ${target}: ${reason}`,
  SPAWN_FAILED: ({ process_id, reason }) => `process ${process_id} could not be started: ${reason}`,
  SANDBOX_UNAVAILABLE: ({ sprint_id, required_by, reason }) =>
    `no agent${sprint_id === null ? '' : ` of sprint ${sprint_id}`} is started without a sandbox, since ${required_by}: ${reason}`,
  SANDBOX_PATH_INVALID: ({ field, path, reason }) =>
    `${field} names ${JSON.stringify(path)}, which no agent can be shown: ${reason}`,
  HOOK_FAILED: ({ hook, argv, reason, tail, worktree, kept }) =>
    `the hook ${hook} (${argv.join(' ')}) failed in ${worktree}${kept ? '' : ', which is removed again'}: ${reason}${tail === '' ? '' : `; it said last: ${tail}`}`,
  PORTS_EXHAUSTED: ({ worktree, count, first, last }) =>
    `no ${count} consecutive ports from ${first} to ${last} are left for ${worktree}`,
  STOP_FAILED: ({ process_id, pid, unseen }) =>
    unseen === true
      ? `process ${process_id} works in another pid namespace (a container), where it can be neither seen nor signalled, and has not ended yet; its next heartbeat tells it to stop`
      : `process ${process_id} (pid ${pid}) is still there after SIGKILL`,
  CREDENTIAL_NOT_ALLOWED: ({ token_env, allowed }) =>
    `${token_env} is not one of the token variables (${allowed.join(', ')})`,
  CREDENTIAL_OTHER_HOST: ({ token_env, host, belongs_to }) =>
    `the token in ${token_env} ${belongs_to === null ? 'was given no host' : `belongs to ${belongs_to}`} and is given to no agent of a sprint on ${host}`,
  CREDENTIAL_MISSING: ({ token_env }) => `${token_env} is not set in the shell's environment`,
};

const hints: Partial<Record<keyof ShellErrorDetails, string>> = {
  SHELL_ALREADY_RUNNING: 'use the running shell, or stop it first: ./caloron down',
  SHELL_PORT_IN_USE: 'choose another with --port N (0 finds a free one) or CALORON_SHELL_PORT',
  SHELL_TOKEN_FILE: 'remove the file and start the shell again, or set CALORON_SHELL_TOKEN',
  TOKEN_INVALID: 'send the content of .caloron/shell-token, or the value of CALORON_SHELL_TOKEN',
  SPRINT_UNKNOWN: 'start one with: ./caloron kickoff',
  TASK_UNKNOWN: 'list the tasks with: ./caloron status',
  TASK_LOCKED: 'try again when it is done, or name another place: --into DIR',
  ISSUE_MISSING: 'name one with issue_number, or let the next tick create it',
  BASE_UNKNOWN:
    'push the branch under that name, or give the default branch its old name back: a sprint keeps its base',
  FETCH_FAILED: 'see that the forge answers and that the token of the sprint may read the repository',
  WORKTREE_FOREIGN: 'move it away; ./caloron wip list shows what agents left and was saved',
  WIP_TARGET_DIRTY: 'commit it or put it aside first, or name a new directory: --into DIR',
  WIP_TARGET_UNFIT: 'name a directory that does not exist yet: --into DIR, or a new branch: --branch NAME',
  SANDBOX_UNAVAILABLE:
    'install bubblewrap (apt-get install bubblewrap) and let users make namespaces (./caloron doctor tells); to let agents run without one, say so in caloron.json before the kickoff: "isolation": {"sandbox": "off"}, and start the shell without --require-sandbox',
  SANDBOX_PATH_INVALID:
    'name absolute paths of existing files or folders, outside .caloron and narrower than your home, in isolation of caloron.json',
  HOOK_FAILED: 'correct the command, or what it needs: workspace.hooks in caloron.json binds the next sprint',
  PORTS_EXHAUSTED:
    'give worktrees that are over back with ./caloron gc, or start the shell with a wider CALORON_PORT_RANGE',
  CREDENTIAL_NOT_ALLOWED: 'add it to CALORON_TOKEN_ENVS and start the shell again',
  CREDENTIAL_MISSING: 'set it and start the shell again',
};

const transient: ReadonlySet<keyof ShellErrorDetails> = new Set([
  'AGENT_BUSY',
  'TASK_BUSY',
  'TASK_LOCKED',
  'ISSUE_MISSING',
  'BASE_UNKNOWN',
  'FETCH_FAILED',
  'HEAD_UNKNOWN',
  'CREDENTIAL_MISSING',
  'HOOK_FAILED',
  'PORTS_EXHAUSTED',
  'SANDBOX_UNAVAILABLE',
  'STOP_FAILED',
]);

/** The shell refused or could not do something. */
export class ShellError<C extends keyof ShellErrorDetails = keyof ShellErrorDetails> extends CodedError<
  ShellErrorDetails,
  C
> {
  override readonly name = 'ShellError';

  constructor(code: C, details: ShellErrorDetails[C], options: CodedErrorOptions = {}) {
    const hint = options.hint ?? hints[code];
    const retryable = options.retryable ?? transient.has(code);
    super(code, details, messages[code](details), {
      ...options,
      retryable,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** The HTTP status each refusal is answered with; codes of other rooms are not here. */
export const statusOfCode: Readonly<Partial<Record<string, number>>> = {
  REQUEST_INVALID: 400,
  REQUEST_NOT_JSON: 400,
  TOKEN_INVALID: 401,
  TOKEN_FORBIDDEN: 403,
  CREDENTIAL_NOT_ALLOWED: 403,
  CREDENTIAL_OTHER_HOST: 403,
  ROUTE_UNKNOWN: 404,
  SPRINT_UNKNOWN: 404,
  TASK_UNKNOWN: 404,
  AGENT_UNKNOWN: 404,
  PROCESS_UNKNOWN: 404,
  TASK_CANCELLED: 409,
  REPO_MISMATCH: 409,
  AGENT_BUSY: 409,
  TASK_BUSY: 409,
  TASK_LOCKED: 409,
  ISSUE_MISSING: 409,
  BASE_UNKNOWN: 409,
  HEAD_UNKNOWN: 409,
  WORKTREE_FOREIGN: 409,
  PROCESS_EXISTS: 409,
  REQUEST_TOO_LARGE: 413,
  REQUEST_TYPE_UNSUPPORTED: 415,
  SPAWN_FAILED: 500,
  SANDBOX_PATH_INVALID: 409,
  HOOK_FAILED: 500,
  PORTS_EXHAUSTED: 503,
  STOP_FAILED: 500,
  CREDENTIAL_MISSING: 503,
  FETCH_FAILED: 503,
  SANDBOX_UNAVAILABLE: 503,
};
