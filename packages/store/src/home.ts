import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Where one installation keeps everything; all paths are absolute. */
export interface Home {
  /** The directory that holds `.caloron/`. */
  readonly dir: string;
  /** Caloron's database. */
  readonly db: string;
  readonly shell_token_file: string;
  /** Reports a person reads. */
  readonly reports_dir: string;
  /** The project's settings, written by `caloron init`. */
  readonly project_file: string;
  /** The stage store; the author's key and the trusted keys lie beside it. */
  readonly stage_store: string;
}

/** What decides where the home is. */
export interface HomeChoice {
  /** `--home`; wins over everything. */
  readonly flag?: string | undefined;
  /** Where CALORON_DB, or its old name NOETHER_KV_PATH, and NOETHER_HOME may be set; empty counts as not set. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

function nearest(start: string): string | undefined {
  for (let dir = start; ; dir = dirname(dir)) {
    if (existsSync(join(dir, '.caloron'))) return dir;
    if (dirname(dir) === dir) return undefined;
  }
}

/** Finds the home: the flag's directory, else the nearest ancestor with `.caloron/`, else the working directory. The variables move the database, or the stage store, alone, and only without the flag. */
export function findHome({ flag, variables = {}, cwd }: HomeChoice): Home {
  const given = flag === undefined || flag === '' ? undefined : flag;
  const dir = given === undefined ? (nearest(resolve(cwd)) ?? resolve(cwd)) : resolve(cwd, given);
  const db = given === undefined ? databaseOf(variables) : undefined;
  const noether = given === undefined ? valueOf(variables['NOETHER_HOME']) : undefined;
  return Object.freeze({
    dir,
    db: db === undefined ? join(dir, '.caloron', 'caloron.db') : resolve(cwd, db),
    shell_token_file: join(dir, '.caloron', 'shell-token'),
    reports_dir: join(dir, 'reports'),
    project_file: join(dir, 'caloron.json'),
    stage_store: join(noether === undefined ? join(dir, '.noether') : resolve(cwd, noether), 'store.json'),
  });
}

function valueOf(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function databaseOf(variables: Readonly<Record<string, string | undefined>>): string | undefined {
  return [variables['CALORON_DB'], variables['NOETHER_KV_PATH']].find(
    (path) => path !== undefined && path !== '',
  );
}
