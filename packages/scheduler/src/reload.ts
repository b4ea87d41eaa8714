import { statSync } from 'node:fs';

import { messageOf } from '@caloron/noether/errors';
import type { Logger } from '@caloron/capabilities/logger';

import { readConfig, type SchedulerConfig } from './config.ts';
import { readTextFile } from './text-file.ts';

/** How often the file is looked at; a change counts once it has stood still for as long, so that no half of it is read. */
const LOOK_INTERVAL_MS = 500;

/** What watching a config needs. */
export interface ReloadDeps {
  /** The config that is in use. */
  readonly config: SchedulerConfig;
  /** The working directory, which paths in the file count from. */
  readonly cwd: string;
  readonly logger: Logger;
  /** Given each changed config that is right. */
  readonly apply: (config: SchedulerConfig) => void;
}

/** Reads a config again when its file changes. One that is wrong is told, with every problem, and the last good one stays in use. Gives the end of it. */
export function watchConfig({ config, cwd, logger, apply }: ReloadDeps): () => void {
  const { path } = config;
  // What is no file, as <(…) of a shell, is read once.
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === false) return () => undefined;
  let used = textOf(path);
  let seen = used;

  const look = (): void => {
    const text = textOf(path);
    const settled = text === seen;
    seen = text;
    if (!settled || text === used) return;
    used = text;
    try {
      const changed = readConfig(path, cwd);
      for (const warning of changed.warnings) logger.warn({ warning }, 'config');
      const fixed = fixedIn(config, changed);
      if (fixed.length > 0)
        logger.warn({ path, fields: fixed }, 'config: these count from the next start on');
      apply(changed);
      logger.info({ path, jobs: changed.jobs.length }, 'config read again');
    } catch (error) {
      logger.error({ path, problem: messageOf(error) }, 'config refused: the last good one stays in use');
    }
  };
  const timer = setInterval(look, LOOK_INTERVAL_MS);
  return () => clearInterval(timer);
}

/** Fields whose change counts from the next start on. From one registry to another is no such change. */
function fixedIn(used: SchedulerConfig, changed: SchedulerConfig): readonly string[] {
  const other = (used.registry === null) !== (changed.registry === null);
  return [
    ...(used.scheduler_id === changed.scheduler_id ? [] : ['scheduler_id']),
    ...(used.store_path === changed.store_path || other || used.registry !== null ? [] : ['store_path']),
    ...(other ? ['store_path', 'registry_url'] : []),
  ];
}

function textOf(path: string): string | null {
  try {
    return readTextFile(path);
  } catch {
    // A file that is away or cannot be read is told when it is read as a config.
    return null;
  }
}
