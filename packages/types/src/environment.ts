/** Variables every child process may have: where programs, certificates and the network are, and the language; no key, no token. */
const COMMON: ReadonlySet<string> = new Set([
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
  'NODE_EXTRA_CA_CERTS',
]);

/** Whether every child process may have a variable: those of programs, certificates, network and language. */
export function isCommonVariable(name: string): boolean {
  return COMMON.has(name) || name.startsWith('LC_') || name.startsWith('XDG_');
}

const ANTHROPIC = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_BASE_URL', 'ANTHROPIC_MODEL'];
const MANY_MODELS = [...ANTHROPIC, 'OPENAI_API_KEY', 'GEMINI_API_KEY', 'OPENROUTER_API_KEY'];

/** Model keys and settings by framework; a framework that is not named has none. */
const FRAMEWORKS: ReadonlyMap<string, readonly string[]> = new Map([
  [
    'claude-code',
    [
      ...ANTHROPIC,
      'CLAUDE_CODE_OAUTH_TOKEN',
      'CLAUDE_CONFIG_DIR',
      'CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC',
    ],
  ],
  ['open-code', [...MANY_MODELS, 'OPENCODE_API_KEY', 'OPENCODE_CONFIG']],
  ['aider', [...MANY_MODELS, 'AIDER_MODEL']],
  ['codex-cli', ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'CODEX_API_KEY', 'CODEX_HOME']],
  [
    'gemini-cli',
    [
      'GEMINI_API_KEY',
      'GOOGLE_API_KEY',
      'GOOGLE_CLOUD_PROJECT',
      'GOOGLE_GEMINI_BASE_URL',
      'GOOGLE_GENAI_USE_VERTEXAI',
      'GEMINI_MODEL',
    ],
  ],
  ['cursor-cli', ['CURSOR_API_KEY']],
]);

/** The variables an agent's framework needs beside the common ones: its own model keys and settings, no other framework's. */
export function frameworkVariables(framework: string): readonly string[] {
  return FRAMEWORKS.get(framework) ?? [];
}

/** Variables that may hold a forge token unless CALORON_TOKEN_ENVS names others. */
export const DEFAULT_TOKEN_ENVS: readonly string[] = [
  'GITHUB_TOKEN',
  'GITEA_TOKEN',
  'CALORON_REVIEWER_TOKEN',
  'CALORON_FORGE_TOKEN',
];
