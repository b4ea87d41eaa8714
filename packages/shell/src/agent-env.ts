/** Variables every agent is given when the shell has them. */
const COMMON = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TZ', 'CALORON_ALLOW_DANGEROUS', 'CALORON_LOG_LEVEL'];

/** Model keys by framework: an agent gets the keys of its own framework only. */
const MODEL_KEYS: Readonly<Record<string, readonly string[]>> = {
  'claude-code': ['ANTHROPIC_API_KEY'],
  'open-code': ['ANTHROPIC_API_KEY'],
  aider: ['ANTHROPIC_API_KEY'],
  'codex-cli': ['OPENAI_API_KEY'],
  'gemini-cli': ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
  'cursor-cli': ['CURSOR_API_KEY'],
};

/** The environment of one agent: an allow-list, never forge tokens nor the shell's own. */
export function agentEnvironment(options: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly framework: string;
  /** Further names a person asked for. */
  readonly extra: readonly string[];
  /** Names that are never passed on, even when asked for. */
  readonly secret: readonly string[];
  readonly process_id: string;
  readonly order_file: string;
}): Record<string, string> {
  const { env, framework, extra, secret, process_id, order_file } = options;
  const locale = Object.keys(env).filter((name) => name.startsWith('LC_'));
  const never = new Set([...secret, 'CALORON_SHELL_TOKEN']);
  const wanted = [...COMMON, ...locale, ...(MODEL_KEYS[framework] ?? []), ...extra];
  const passed = wanted.flatMap((name) => {
    const value = env[name];
    return value === undefined || never.has(name) ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(passed), CALORON_PROCESS_ID: process_id, CALORON_ORDER_FILE: order_file };
}
