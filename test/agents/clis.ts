import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

import { execa } from 'execa';
import { z } from 'zod';

/** One agent's command-line program as it is installed and set up for a model of our own. */
export interface Cli {
  /** The framework of ours that runs it. */
  readonly framework: string;
  readonly bin: string;
  readonly package: string;
  readonly version: string;
  /** Options of the framework. */
  readonly options: Readonly<Record<string, string>>;
  /** Writes its settings below a home of its own; gives the variables it needs. */
  readonly setUp: (home: string, model_url: string) => Readonly<Record<string, string>>;
}

/** Milliseconds an installation may take. */
const INSTALL_MS = 300_000;

/** Where the programs lie: CALORON_AGENTS_DIR, else the user's cache directory. */
export function agentsDirectory(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return process.env['CALORON_AGENTS_DIR'] ?? join(cache, 'caloron', 'agents');
}

/** The programs that are tested, each in one version. */
export const CLIS = {
  claude: {
    framework: 'claude-code',
    bin: 'claude',
    package: '@anthropic-ai/claude-code',
    version: '2.1.329',
    options: { pass_env: 'CLAUDE_CODE_MAX_RETRIES DISABLE_AUTOUPDATER' },
    setUp: (_home, url) => ({
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_KEY: 'sk-ant-of-nobody',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      CLAUDE_CODE_MAX_RETRIES: '1',
      DISABLE_AUTOUPDATER: '1',
    }),
  },
  codex: {
    framework: 'codex-cli',
    bin: 'codex',
    package: '@openai/codex',
    version: '0.169.0',
    options: {},
    setUp(home, url) {
      write(join(home, '.codex', 'config.toml'), [
        'model = "gpt-5"',
        'model_provider = "local"',
        '[model_providers.local]',
        'name = "local"',
        `base_url = "${url}/v1"`,
        'env_key = "OPENAI_API_KEY"',
        'wire_api = "responses"',
        'request_max_retries = 1',
        'stream_max_retries = 1',
      ]);
      return { OPENAI_API_KEY: 'sk-of-nobody', CODEX_HOME: join(home, '.codex') };
    },
  },
  opencode: {
    framework: 'open-code',
    bin: 'opencode',
    package: 'opencode-ai',
    version: '1.18.33',
    options: {
      model: 'local/a-model',
      pass_env: 'OPENCODE_DISABLE_MODELS_FETCH OPENCODE_DISABLE_AUTOUPDATE',
    },
    setUp(home, url) {
      const limit = { context: 100_000, output: 8000 };
      const cost = { input: 1, output: 2, cache_read: 0.1, cache_write: 0 };
      const local = {
        npm: '@ai-sdk/openai-compatible',
        name: 'local',
        options: { baseURL: `${url}/v1`, apiKey: 'of-nobody' },
        models: { 'a-model': { name: 'a-model', limit, cost, tool_call: true } },
      };
      const config = join(home, 'opencode.json');
      write(config, [JSON.stringify({ provider: { local }, autoupdate: false, share: 'disabled' })]);
      return {
        OPENCODE_CONFIG: config,
        OPENCODE_DISABLE_MODELS_FETCH: '1',
        OPENCODE_DISABLE_AUTOUPDATE: '1',
      };
    },
  },
  gemini: {
    framework: 'gemini-cli',
    bin: 'gemini',
    package: '@google/gemini-cli',
    version: '0.61.0',
    options: { model: 'gemini-2.5-flash' },
    setUp(home, url) {
      const settings = {
        security: { auth: { selectedType: 'gemini-api-key' } },
        general: { disableAutoUpdate: true, disableUpdateNag: true, maxAttempts: 2 },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
      };
      write(join(home, '.gemini', 'settings.json'), [JSON.stringify(settings)]);
      return { GEMINI_API_KEY: 'of-nobody', GOOGLE_GEMINI_BASE_URL: url };
    },
  },
} as const satisfies Readonly<Record<string, Cli>>;

/** Options of framework `acp` for the programs that speak its protocol; the variables are those it does not know of. */
export const SPEAKERS = {
  opencode: {
    // Of refusals it asks about again its log alone tells.
    command: 'opencode acp --print-logs --log-level ERROR',
    model: 'local/a-model',
    pass_env: 'OPENCODE_CONFIG OPENCODE_DISABLE_MODELS_FETCH OPENCODE_DISABLE_AUTOUPDATE',
  },
  // It offers no choice of models by the protocol: its command names one.
  gemini: {
    command: 'gemini --acp -m gemini-2.5-flash',
    pass_env: 'GEMINI_API_KEY GOOGLE_GEMINI_BASE_URL GEMINI_CLI_TRUST_WORKSPACE',
  },
} as const;

/** The environment in which a program runs: found on PATH, a home of its own, its model ours. */
export function cliEnvironment(cli: Cli, home: string, model_url: string): Readonly<Record<string, string>> {
  mkdirSync(home, { recursive: true });
  return {
    PATH: [binDirectory(cli), process.env['PATH'] ?? ''].join(delimiter),
    HOME: home,
    XDG_CACHE_HOME: join(home, '.cache'),
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_DATA_HOME: join(home, '.local', 'share'),
    XDG_STATE_HOME: join(home, '.local', 'state'),
    ...cli.setUp(home, model_url),
  };
}

/** Installs a program in its version, once. Throws with what npm said when it cannot. */
export async function install(cli: Cli): Promise<void> {
  const directory = directoryOf(cli);
  if (installedVersion(cli) !== cli.version) {
    mkdirSync(directory, { recursive: true });
    write(join(directory, 'package.json'), [JSON.stringify({ private: true })]);
    const wanted = `${cli.package}@${cli.version}`;
    const args = ['install', '--no-audit', '--no-fund', '--loglevel=error', wanted];
    const { exitCode, stderr } = await execa('npm', args, {
      cwd: directory,
      reject: false,
      timeout: INSTALL_MS,
    });
    if (exitCode !== 0) throw new Error(`${wanted} could not be installed in ${directory}: ${stderr}`);
  }
  const bin = join(binDirectory(cli), cli.bin);
  const { exitCode, stdout, stderr } = await execa(bin, ['--version'], { reject: false, timeout: 60_000 });
  if (exitCode !== 0 || !stdout.includes(cli.version))
    throw new Error(`${bin} --version says ${JSON.stringify(stdout)}, expected ${cli.version}: ${stderr}`);
}

function directoryOf(cli: Cli): string {
  return join(agentsDirectory(), `${cli.bin}-${cli.version}`);
}

function binDirectory(cli: Cli): string {
  return join(directoryOf(cli), 'node_modules', '.bin');
}

function installedVersion(cli: Cli): string | undefined {
  const file = join(directoryOf(cli), 'node_modules', cli.package, 'package.json');
  if (!existsSync(file)) return undefined;
  return z.looseObject({ version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8'))).version;
}

function write(file: string, lines: readonly string[]): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, `${lines.join('\n')}\n`);
}
