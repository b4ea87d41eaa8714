import type { Sprint } from '@caloron/types';

/** Where programs, certificates and the network are, and the language; no key, no token. */
const COMMON = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TERM',
  'TMPDIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'CALORON_ALLOW_DANGEROUS',
  'CALORON_LOG_LEVEL',
];

const COMMON_PREFIXES = ['LC_', 'XDG_'];

const ANTHROPIC = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_BASE_URL', 'ANTHROPIC_MODEL'];

/** Model keys and settings by framework: an agent gets those of its own framework only. */
const FRAMEWORK: Readonly<Record<string, readonly string[]>> = {
  'claude-code': [
    ...ANTHROPIC,
    'CLAUDE_CODE_OAUTH_TOKEN',
    'CLAUDE_CONFIG_DIR',
    'CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC',
  ],
  'open-code': [...ANTHROPIC, 'OPENAI_API_KEY', 'GEMINI_API_KEY', 'OPENROUTER_API_KEY', 'OPENCODE_API_KEY'],
  aider: [...ANTHROPIC, 'OPENAI_API_KEY', 'GEMINI_API_KEY', 'OPENROUTER_API_KEY', 'AIDER_MODEL'],
  'codex-cli': ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'CODEX_API_KEY', 'CODEX_HOME'],
  'gemini-cli': ['GEMINI_API_KEY', 'GOOGLE_API_KEY', 'GEMINI_MODEL'],
  'cursor-cli': ['CURSOR_API_KEY'],
};

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
  const never = new Set(['CALORON_SHELL_TOKEN', ...token_envs, sprint.token_env, sprint.reviewer_token_env]);
  const prefixed = Object.keys(env).filter((name) =>
    COMMON_PREFIXES.some((prefix) => name.startsWith(prefix)),
  );
  const asked = (sprint.framework_options['pass_env'] ?? '').split(/[\s,]+/);
  const wanted = [...COMMON, ...prefixed, ...(FRAMEWORK[sprint.framework] ?? []), ...asked];
  const passed = wanted.flatMap((name) => {
    const value = env[name];
    return value === undefined || never.has(name) ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(passed), CALORON_PROCESS_ID: process_id, CALORON_ORDER_FILE: order_file };
}
