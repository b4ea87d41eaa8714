import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Where one installation keeps everything. */
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
}

/** What decides where the home is. */
export interface HomeChoice {
  /** `--home`; wins over everything. */
  readonly flag?: string | undefined;
  /** CALORON_DB or its old name NOETHER_KV_PATH. */
  readonly db?: string | undefined;
  readonly cwd: string;
}

function nearest(start: string): string | undefined {
  for (let dir = start; ; dir = dirname(dir)) {
    if (existsSync(join(dir, '.caloron'))) return dir;
    if (dirname(dir) === dir) return undefined;
  }
}

/** Finds the home: the flag's directory, else the nearest ancestor with `.caloron/`, else the working directory. `db` moves the database alone. */
export function findHome({ flag, db, cwd }: HomeChoice): Home {
  const dir = flag === undefined ? (nearest(cwd) ?? cwd) : resolve(cwd, flag);
  return Object.freeze({
    dir,
    db:
      db !== undefined && db !== '' && flag === undefined
        ? resolve(cwd, db)
        : join(dir, '.caloron', 'caloron.db'),
    shell_token_file: join(dir, '.caloron', 'shell-token'),
    reports_dir: join(dir, 'reports'),
    project_file: join(dir, 'caloron.json'),
  });
}
