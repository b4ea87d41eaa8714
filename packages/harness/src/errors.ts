import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** Why the harness could not do what its order says. */
export interface HarnessErrorDetails {
  /** CALORON_ORDER_FILE is not set, or there is no file at that place (it is deleted when it is read). */
  HARNESS_ORDER_MISSING: { readonly file: string | null };
  /** The order file is not JSON, or not an order. */
  HARNESS_ORDER_INVALID: { readonly file: string; readonly issues: readonly string[] };
  /** The shell did not answer, or somebody else did at its address. */
  HARNESS_SHELL_UNREACHABLE: { readonly url: string; readonly reason: string };
  /** The shell answered with a refusal. */
  HARNESS_SHELL_REFUSED: {
    readonly url: string;
    readonly status: number;
    readonly code: string;
    readonly reason: string;
  };
  /** The order names a framework that is not in the table. */
  HARNESS_FRAMEWORK_UNKNOWN: { readonly name: string; readonly known: readonly string[] };
  /** The framework's options lack something or hold something it cannot use. */
  HARNESS_FRAMEWORK_OPTION: {
    readonly framework: string;
    readonly option: string;
    readonly expected: string;
  };
  /** A command is not on PATH or cannot be executed. */
  HARNESS_COMMAND_MISSING: { readonly command: string; readonly cwd: string };
  /** The stub's script is absent or not a script. */
  HARNESS_SCRIPT_INVALID: { readonly file: string; readonly issues: readonly string[] };
  /** A step of the stub's script could not be done. */
  HARNESS_SCRIPT_STEP: { readonly step: string; readonly reason: string };
  /** A path of a script leads out of the worktree, or into its `.git`. */
  HARNESS_PATH_OUTSIDE: { readonly path: string };
  /** The worktree is not on the branch the order names. */
  HARNESS_BRANCH_UNEXPECTED: { readonly expected: string; readonly found: string };
  /** The worktree's `.git` leads to another repository than when the agent began. */
  HARNESS_REPOSITORY_CHANGED: { readonly worktree: string };
  /** The worktree is not at the commit the order names. */
  HARNESS_HEAD_UNEXPECTED: { readonly expected: string; readonly found: string };
  /** The branch does not contain the commit it has to build on. */
  HARNESS_BASE_LOST: {
    readonly base: string;
    readonly head: string;
    /** What was about to be done. */
    readonly when: 'start' | 'hand-over' | 'review';
  };
  /** What is checked out is not the commit that is to be verified. */
  HARNESS_TREE_NOT_EXACT: { readonly commit: string; readonly worktree: string; readonly reason: string };
  /** Files with unresolved conflicts are left. */
  HARNESS_CONFLICTS: { readonly paths: readonly string[] };
  /** The branch on the forge holds commits of somebody else: nothing is overwritten. */
  HARNESS_REMOTE_MOVED: { readonly branch: string; readonly remote: string; readonly head: string };
  /** A reviewing framework ended without APPROVED or CHANGES_REQUESTED. */
  HARNESS_VERDICT_MISSING: { readonly framework: string };
  /** A review needs the head it is about. */
  HARNESS_REVIEW_HEAD_MISSING: { readonly task_id: string };
  /** A hook of the sprint failed or took too long; `tail` is the end of what it said. */
  HARNESS_HOOK_FAILED: {
    readonly hook: string;
    readonly argv: readonly string[];
    readonly reason: string;
    readonly tail: string;
  };
  /** The run was stopped from outside. */
  HARNESS_STOPPED: { readonly reason: string };
}

const NOT_DONE = {
  start: 'the agent was not started',
  'hand-over': 'nothing was pushed',
  review: 'nothing was verified',
} as const;

const message: Messages<HarnessErrorDetails> = {
  HARNESS_ORDER_MISSING: ({ file }) =>
    file === null
      ? 'CALORON_ORDER_FILE is not set: expected the path of an order written by the shell'
      : `no order at ${file}: expected a file written by the shell, read once`,
  HARNESS_ORDER_INVALID: ({ file, issues }) => `the order in ${file} is not one: ${issues.join('; ')}`,
  HARNESS_SHELL_UNREACHABLE: ({ url, reason }) => `no answer from the shell at ${url}: ${reason}`,
  HARNESS_SHELL_REFUSED: ({ url, status, code, reason }) =>
    `the shell refused ${url} with ${status} ${code}: ${reason}`,
  HARNESS_FRAMEWORK_UNKNOWN: ({ name, known }) =>
    `there is no framework ${JSON.stringify(name)}: expected one of ${known.join(', ')}`,
  HARNESS_FRAMEWORK_OPTION: ({ framework, option, expected }) =>
    `framework ${framework}: option ${option}: expected ${expected}`,
  HARNESS_COMMAND_MISSING: ({ command, cwd }) =>
    `the command ${JSON.stringify(command)} was not found or cannot be run in ${cwd}`,
  HARNESS_SCRIPT_INVALID: ({ file, issues }) => `the stub script ${file}: ${issues.join('; ')}`,
  HARNESS_SCRIPT_STEP: ({ step, reason }) => `the stub could not ${step}: ${reason}`,
  HARNESS_PATH_OUTSIDE: ({ path }) =>
    `the path ${JSON.stringify(path)} leads out of the worktree or into its .git`,
  HARNESS_BRANCH_UNEXPECTED: ({ expected, found }) =>
    `the worktree is on ${found}, expected branch ${expected}: nothing was pushed`,
  HARNESS_REPOSITORY_CHANGED: ({ worktree }) =>
    `the .git of ${worktree} leads to another repository than when the agent began: nothing was committed or pushed`,
  HARNESS_HEAD_UNEXPECTED: ({ expected, found }) => `the worktree is at ${found}, expected ${expected}`,
  HARNESS_BASE_LOST: ({ base, head, when }) => `${head} does not contain its base ${base}: ${NOT_DONE[when]}`,
  HARNESS_TREE_NOT_EXACT: ({ commit, worktree, reason }) =>
    `${worktree} is not exactly ${commit} (${reason}): nothing was verified; what a hook leaves there the repository has to ignore`,
  HARNESS_CONFLICTS: ({ paths }) => `unresolved conflicts in ${paths.join(', ')}: nothing was committed`,
  HARNESS_REMOTE_MOVED: ({ branch, remote, head }) =>
    `${branch} is at ${remote} on the forge, which ${head} does not contain: nothing was pushed`,
  HARNESS_VERDICT_MISSING: ({ framework }) =>
    `${framework} ended its review without a line APPROVED or CHANGES_REQUESTED: reason`,
  HARNESS_REVIEW_HEAD_MISSING: ({ task_id }) => `the order to review ${task_id} names no head_sha`,
  HARNESS_HOOK_FAILED: ({ hook, argv, reason, tail }) =>
    `the hook ${hook} (${argv.join(' ')}) failed: ${reason}${tail === '' ? '' : `; it said last:\n${tail}`}`,
  HARNESS_STOPPED: ({ reason }) => `stopped: ${reason}`,
};

/** The harness could not do what its order says. */
export class HarnessError<C extends keyof HarnessErrorDetails = keyof HarnessErrorDetails> extends CodedError<
  HarnessErrorDetails,
  C
> {
  override readonly name = 'HarnessError';

  constructor(code: C, details: HarnessErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}
