import { join } from 'node:path';

/** What an agent's program keeps between its runs in one place: its login, its settings, its sessions. */
export interface StatePlace {
  readonly at: string;
  /** What in it the program changes: logins that renew themselves, and its own sessions. All else it can only read, since its settings may name programs that run outside. */
  readonly keeps: readonly string[];
  /** Folders among them that are made where they are missing. */
  readonly makes: readonly string[];
  /** What it rewrites as a whole: it is given a copy, and what it changes there is lost. */
  readonly copies: readonly string[];
}

/** What to know of the surroundings to find those places. */
export interface StateQuestion {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly worktree: string;
}

type Places = (question: StateQuestion) => readonly (Pick<StatePlace, 'at'> & Partial<StatePlace>)[];

const xdg = ({ home, env }: StateQuestion, name: string, otherwise: string): string =>
  env[name] ?? join(home, otherwise);

/** Claude Code's name for the sessions of one directory. */
const claudeProject = (worktree: string): string =>
  join('projects', worktree.replaceAll(/[^a-zA-Z0-9]/g, '-'));

const PLACES: ReadonlyMap<string, Places> = new Map<string, Places>([
  [
    'claude-code',
    ({ home, env, worktree }) => [
      {
        at: env['CLAUDE_CONFIG_DIR'] ?? join(home, '.claude'),
        keeps: ['.credentials.json'],
        makes: [claudeProject(worktree)],
        copies: ['.claude.json'],
      },
      { at: join(home, '.claude.json') },
    ],
  ],
  [
    'codex-cli',
    ({ home, env }) => [
      { at: env['CODEX_HOME'] ?? join(home, '.codex'), keeps: ['auth.json'], makes: ['sessions'] },
    ],
  ],
  [
    'gemini-cli',
    ({ home }) => [
      { at: join(home, '.gemini'), keeps: ['oauth_creds.json', 'google_accounts.json'], makes: ['tmp'] },
    ],
  ],
  [
    'open-code',
    (question) => [
      { at: join(xdg(question, 'XDG_CONFIG_HOME', '.config'), 'opencode') },
      {
        at: join(xdg(question, 'XDG_DATA_HOME', '.local/share'), 'opencode'),
        keeps: ['auth.json'],
        makes: ['storage'],
        copies: ['opencode.db', 'opencode.db-wal', 'opencode.db-shm'],
      },
    ],
  ],
  [
    'cursor-cli',
    (question) => [
      { at: join(question.home, '.cursor'), makes: ['chats'] },
      { at: join(xdg(question, 'XDG_CONFIG_HOME', '.config'), 'cursor'), keeps: ['auth.json'] },
    ],
  ],
  ['aider', ({ home }) => [{ at: join(home, '.aider.conf.yml') }, { at: join(home, '.aider') }]],
]);

/** The places one framework's program has of its own; none for a framework that is not named here. */
export function statePlaces(framework: string, question: StateQuestion): readonly StatePlace[] {
  const places = PLACES.get(framework)?.(question) ?? [];
  return places.map(({ at, keeps = [], makes = [], copies = [] }) => ({ at, keeps, makes, copies }));
}
