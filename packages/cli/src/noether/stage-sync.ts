import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { findJsonFault } from '@caloron/noether';
import { codeOf, messageOf } from '@caloron/noether/errors';
import { parseStageSpec, readStageSpec, type StageSpec } from '@caloron/noether/records';
import { openStageStore } from '@caloron/store';
import { Command } from 'commander';

import { type Context, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Answer, Io } from '../output.ts';
import { programCatalog, seedStages } from '../stages.ts';
import { type Added, type AddOptions, addSpec, capabilities, readText, requireGenuine } from './stage-add.ts';
import { storeFile, withStore } from './stage-options.ts';

interface Failed {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

/** A stage as a file has it, not read yet. */
interface Offered {
  readonly where: string;
  /** The id it says it has; null for a spec file. */
  readonly id: string | null;
  readonly read: () => StageSpec;
}

/** Stages of a folder's spec files, or of a stage store of the original's. */
function offered(path: string): readonly Offered[] {
  const options = { capabilities: capabilities() };
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    return readdirSync(path)
      .filter((name) => name.endsWith('.json') && name !== 'package.json' && !name.startsWith('tsconfig'))
      .toSorted()
      .map((name) => ({
        where: join(path, name),
        id: null,
        read: () => parseStageSpec(readText(join(path, name)), join(path, name), options),
      }));
  const value = jsonOf(path);
  const stages: unknown =
    typeof value === 'object' && value !== null && 'stages' in value ? value.stages : null;
  if (!Array.isArray(stages))
    throw new CliError('CLI_USAGE', { problem: `${path} is neither a folder nor a stage store` });
  return stages.map((stage: unknown, i) => {
    const where = `${path}: stages[${i}]`;
    return { where, id: idOf(stage), read: () => readStageSpec(stage, where, options) };
  });
}

function jsonOf(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const { line, column, expected } = findJsonFault(text) ?? { line: 1, column: 1, expected: 'a value' };
    const problem = `${path} is no JSON: line ${line}, column ${column}: expected ${expected}`;
    throw new CliError('CLI_USAGE', { problem }, { cause: error });
  }
}

function idOf(stage: unknown): string | null {
  return typeof stage === 'object' && stage !== null && 'id' in stage && typeof stage.id === 'string'
    ? stage.id
    : null;
}

interface Imported {
  readonly imported: readonly Added[];
  /** Those that are there already. */
  readonly skipped: readonly Pick<Added, 'id' | 'name'>[];
  readonly failed: readonly Failed[];
}

/** Adds all it can; what cannot be added is told with its reason. */
async function importAll(file: string, found: readonly Offered[], draft: boolean): Promise<Imported> {
  const store = openStageStore({ file });
  const known = new Map((await store.read()).records.map(({ id, name }) => [id, name]));
  const imported: Added[] = [];
  const skipped: Imported['skipped'][number][] = [];
  const failed: Failed[] = [];
  for (const { where, id, read } of found) {
    const name = id === null ? undefined : known.get(id);
    if (id !== null && name !== undefined) {
      skipped.push({ id, name });
      continue;
    }
    try {
      const spec = read();
      await requireGenuine(spec, where, file);
      const added = await addSpec(store, spec, draft);
      (added.note === undefined ? imported : skipped).push(added);
    } catch (error) {
      failed.push({ file: where, code: codeOf(error), message: messageOf(error) });
    }
  }
  return { imported, skipped, failed };
}

/** `noether stage sync [PATH]`. */
export function syncCommand(io: Io): Command {
  const command = withStore(
    new Command('sync')
      .description("write the program's stages to the stage store, and those of a folder's spec files")
      .argument('[path]', 'a folder of spec files, or a stage store of the original to take over')
      .option('--draft', 'leave what comes from files as drafts'),
  );
  return command.action((path: string | undefined, options: AddOptions) =>
    runCommand(command, io, (context) => sync(context, path, options)),
  );
}

async function sync(context: Context, path: string | undefined, options: AddOptions): Promise<Answer> {
  const file = storeFile(context, options);
  const from = path === undefined ? null : resolve(context.cwd, path);
  // What cannot be read at all is told before anything is written.
  const found = from === null ? null : offered(from);
  const catalog = programCatalog();
  const seeded = await seedStages(file, catalog);
  const files: Imported =
    found === null
      ? { imported: [], skipped: [], failed: [] }
      : await importAll(file, found, options.draft === true);
  const stages = catalog.entries.map(({ record }) => [record.name, record.id] as const);
  const { imported, updated, superseded } = seeded;
  const all = [
    ...stages,
    ...[...files.imported, ...files.skipped].map(({ name, id }) => [name, id] as const),
  ];
  return {
    data: {
      path: file,
      directory: from,
      stages: Object.fromEntries(all),
      program: { imported, updated, superseded },
      ...files,
      counts: {
        imported: imported.length + files.imported.length,
        updated: updated.length,
        skipped: stages.length - imported.length - updated.length + files.skipped.length,
        failed: files.failed.length,
      },
    },
    text: [
      ...all.map(([name, id]) => `${name} → ${id}`),
      ...files.failed.map(
        ({ file: where, code, message }) =>
          `FAILED ${message.includes(where) ? '' : `${where}: `}${message} [${code}]`,
      ),
      `wrote ${file}`,
    ].join('\n'),
    exit_code: files.failed.length === 0 ? 0 : 1,
  };
}
