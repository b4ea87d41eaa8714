import { basename, join } from 'node:path';

import type { Order } from '@caloron/types';

import { argvOf } from './command.ts';

/**
 * A place where an agent's program keeps its login, its settings and its sessions. In the sandbox a directory of the task's own stands
 * there, with what follows laid over it; all else in it can be read alone, since its settings may name programs that run outside.
 */
export interface StatePlace {
  readonly at: string;
  readonly is: 'directory' | 'file';
  /** What in it the program changes for good: logins that renew themselves. */
  readonly keeps: readonly string[];
  /** What it rewrites as a whole: it is given a copy, and what it changes there is lost. */
  readonly copies: readonly string[];
  /** Its records of other work: not shown. */
  readonly hides: RegExp;
}

/** What to know of the surroundings to find those places. */
export interface StateQuestion {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
}

type Places = (question: StateQuestion) => readonly (Pick<StatePlace, 'at'> & Partial<StatePlace>)[];

const xdg = ({ home, env }: StateQuestion, name: string, otherwise: string): string =>
  env[name] ?? join(home, otherwise);

const named = (
  { env }: StateQuestion,
  name: string,
  is: StatePlace['is'],
): readonly Pick<StatePlace, 'at' | 'is'>[] => {
  const at = env[name];
  return at === undefined ? [] : [{ at, is }];
};

const CLAUDE_RECORDS =
  /^(backups|cache|debug|downloads|file-history|history\.jsonl|ide|image-cache|jobs|paste-cache|plans|projects|session-env|sessions|shell-snapshots|stats-cache\.json|statsig|tasks|teams|telemetry|todos)$/;
const CODEX_RECORDS =
  /\.sqlite(-\w+)?$|^(\.tmp|archived_sessions|attachments|history\.jsonl|log|memories|sessions|session_index\.jsonl|shell_snapshots|thread-writer-locks|tmp|worktrees)$/;
const GEMINI_RECORDS = /^(antigravity.*|history|logs?|projects\.json|state\.json|tmp)$/;
const CURSOR_RECORDS = /^(chats|logs?|projects|snapshots|worktrees)$/;

const PLACES: ReadonlyMap<string, Places> = new Map<string, Places>([
  [
    'claude-code',
    ({ home, env }) => [
      {
        at: env['CLAUDE_CONFIG_DIR'] ?? join(home, '.claude'),
        keeps: ['.credentials.json'],
        copies: ['.claude.json'],
        hides: CLAUDE_RECORDS,
      },
      { at: join(home, '.claude.json'), is: 'file' },
    ],
  ],
  [
    'codex-cli',
    ({ home, env }) => [
      {
        at: env['CODEX_HOME'] ?? join(home, '.codex'),
        keeps: ['auth.json'],
        copies: ['installation_id'],
        hides: CODEX_RECORDS,
      },
    ],
  ],
  [
    'gemini-cli',
    ({ home }) => [
      {
        at: join(home, '.gemini'),
        keeps: ['oauth_creds.json', 'google_accounts.json', 'gemini-credentials.json'],
        hides: GEMINI_RECORDS,
      },
    ],
  ],
  [
    'open-code',
    (question) => [
      { at: join(xdg(question, 'XDG_CONFIG_HOME', '.config'), 'opencode') },
      // Its database holds every session of the user's, so the task has one of its own.
      {
        at: join(xdg(question, 'XDG_DATA_HOME', '.local/share'), 'opencode'),
        keeps: ['auth.json', 'mcp-auth.json'],
        hides: /./,
      },
      ...named(question, 'OPENCODE_CONFIG', 'file'),
      ...named(question, 'OPENCODE_CONFIG_DIR', 'directory'),
    ],
  ],
  [
    'cursor-cli',
    (question) => [
      { at: join(question.home, '.cursor'), hides: CURSOR_RECORDS },
      { at: join(xdg(question, 'XDG_CONFIG_HOME', '.config'), 'cursor'), keeps: ['auth.json'] },
    ],
  ],
  ['aider', ({ home }) => [{ at: join(home, '.aider.conf.yml'), is: 'file' }, { at: join(home, '.aider') }]],
]);

/** Programs that speak the Agent Client Protocol, and the framework whose places they keep their state in. */
const SPEAKERS: ReadonlyMap<string, string> = new Map([
  ['opencode', 'open-code'],
  ['opencode-ai', 'open-code'],
  ['gemini', 'gemini-cli'],
  ['gemini-cli', 'gemini-cli'],
  ['claude-code-acp', 'claude-code'],
  ['claude-agent-acp', 'claude-code'],
  ['codex-acp', 'codex-cli'],
  ['cursor-agent', 'cursor-cli'],
]);

/** The places the program of an order's framework has of its own; none for one that is not known here. */
export function statePlaces(framework: Order['framework'], question: StateQuestion): readonly StatePlace[] {
  const places = PLACES.get(speakerOf(framework))?.(question) ?? [];
  return places.map(({ at, is = 'directory', keeps = [], copies = [], hides = /^$/ }) => ({
    at,
    is,
    keeps,
    copies,
    hides,
  }));
}

/** The framework whose program an order runs, also where it runs it by the protocol: `npx -y @google/gemini-cli@1.2.3 --acp` is Gemini CLI as `gemini --acp` is. */
export function speakerOf({ name, options }: Order['framework']): string {
  if (name !== 'acp') return name;
  const words = argvOf(options['command'] ?? '', name).map((word) => basename(word).replace(/(.)@.*$/, '$1'));
  return words.flatMap((word) => SPEAKERS.get(word) ?? [])[0] ?? name;
}
