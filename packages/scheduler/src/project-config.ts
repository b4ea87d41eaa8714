import { readFileSync } from 'node:fs';

import { codeOf, messageOf } from '@caloron/noether/errors';
import type { Store } from '@caloron/store';
import { keys, type ProjectConfig } from '@caloron/types';

import { SchedulerError } from './errors.ts';
import { checkProject } from './project-problems.ts';

/** Reads caloron.json; undefined when there is none. Throws PROJECT_CONFIG_INVALID with every problem. */
export function readProjectConfig(path: string): ProjectConfig | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new SchedulerError(
      'PROJECT_CONFIG_INVALID',
      { path, problems: [messageOf(error)] },
      { cause: error },
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SchedulerError(
      'PROJECT_CONFIG_INVALID',
      { path, problems: [`this is no JSON: ${messageOf(error)}`] },
      { cause: error },
    );
  }
  const { config, problems } = checkProject(value);
  if (config !== undefined) return config;
  throw new SchedulerError('PROJECT_CONFIG_INVALID', { path, problems });
}

/** Mirrors caloron.json into KV, where stages read it; an unchanged file writes nothing. */
export async function syncProjectConfig(store: Store, path: string): Promise<ProjectConfig | undefined> {
  const config = readProjectConfig(path);
  if (config === undefined) return undefined;
  const { $schema: _schema, ...value } = config;
  try {
    await store.kv.put(keys.config, value);
  } catch (error) {
    if (codeOf(error) !== 'STORE_CONFLICT') throw error;
  }
  return config;
}
