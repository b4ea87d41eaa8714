import { appVariables } from '@caloron/capabilities/github-app';
import { frameworkVariables, isCommonVariable } from '@caloron/types';
import type { Sprint } from '@caloron/types';

/** Ours that no agent is given, whatever its options name. */
const NEVER = ['CALORON_SHELL_TOKEN', 'CALORON_WEBHOOK_SECRET'];

/** Ours that a harness reads. */
const OURS = ['CALORON_ALLOW_DANGEROUS', 'CALORON_LOG_LEVEL'];

/**
 * The environment of one agent: an allow-list. Option `pass_env` of the framework names further variables; forge tokens and
 * the shell's own variables are never among them.
 */
export function agentEnvironment(options: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly sprint: Sprint;
  /** Names that hold a forge token. */
  readonly token_envs: readonly string[];
  readonly process_id: string;
  readonly order_file: string;
}): Record<string, string> {
  const { env, sprint, token_envs, process_id, order_file } = options;
  const tokens = [...token_envs, sprint.token_env, sprint.reviewer_token_env].filter((name) => name !== null);
  const keys = tokens.flatMap((name) => Object.values(appVariables(name)));
  const never = new Set([...NEVER, ...tokens, ...keys]);
  const common = Object.keys(env).filter(isCommonVariable);
  const asked = (sprint.framework_options['pass_env'] ?? '').split(/[\s,]+/);
  const wanted = [...common, ...OURS, ...frameworkVariables(sprint.framework), ...asked];
  const passed = wanted.flatMap((name) => {
    const value = env[name];
    return value === undefined || never.has(name) ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(passed), CALORON_PROCESS_ID: process_id, CALORON_ORDER_FILE: order_file };
}
